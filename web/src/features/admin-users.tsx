'use client';

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, data, type User } from '@/api/client';
import { meQuery, usersQuery } from '@/api/queries';
import { moment } from '@/lib/format';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { Choice, Field } from '@/ui/field';
import { Badge, Card, Skeleton } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';
import { Table } from '@/ui/table';
import { AdminFrame } from './admin-frame';
import { Secret } from './tokens';

export function AdminUsers() {
  const [making, setMaking] = useState(false);
  return (
    <AdminFrame actions={<Button look="primary" onClick={() => setMaking(true)}>New user</Button>}>
      <Dialog open={making} onOpen={setMaking} title="New user">{making && <NewUser close={() => setMaking(false)} />}</Dialog>
      <Users />
    </AdminFrame>
  );
}

function Users() {
  const users = useInfiniteQuery(usersQuery);
  const me = useQuery(meQuery).data;
  const [editing, setEditing] = useState<User | null>(null); // stays while the dialog closes, which is called after it
  const [open, setOpen] = useState(false);
  const rows = users.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Card title="Users" flush>
      <Dialog open={open} onOpen={setOpen} title={editing ? editing.name || editing.email || editing.unix_name : 'User'}>
        {open && editing && <EditUser user={editing} self={editing.user_id === me?.user_id} close={() => setOpen(false)} />}
      </Dialog>
      {users.isPending && <Skeleton />}
      {users.error && <div className="p-4"><ErrorNote error={users.error} retry={() => void users.refetch()} /></div>}
      {rows.length > 0 && (
        <Table caption="Accounts, oldest first" rows={rows} id={(u) => u.user_id} columns={[
          { title: 'Name', head: true, cell: (u) => <span className="wrap-anywhere">{u.name || '–'} {u.role === 'admin' && <Badge tone="accent">admin</Badge>} {u.disabled && <Badge tone="bad">disabled</Badge>}</span> },
          { title: 'Email', cell: (u) => <span className="wrap-anywhere">{u.email || '–'}</span> },
          { title: 'Unix user', wide: true, cell: (u) => (u.unix_name ? <code>{u.unix_name}</code> : '–') },
          { title: 'Sessions', right: true, wide: true, cell: (u) => u.session_limit || 'default' },
          { title: 'Since', wide: true, cell: (u) => moment(u.created_at) },
          { title: 'Action', right: true, cell: (u) => <Button aria-label={`Edit ${u.name || u.email || u.unix_name}`} onClick={() => { setEditing(u); setOpen(true); }}>Edit</Button> },
        ]} />
      )}
      {users.hasNextPage && <div className="border-line border-t p-3 text-center"><Button busy={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>Show more</Button></div>}
    </Card>
  );
}

function NewUser({ close }: { close: () => void }) {
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: (body: { email?: string; unix_name?: string; name?: string; role: 'user' | 'admin' }) => data(api.POST('/api/v1/admin/users', { body })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['users'] }),
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const f = new FormData(e.currentTarget);
    const text = (n: string) => String(f.get(n) ?? '').trim() || undefined;
    make.mutate({ email: text('email'), unix_name: text('unix_name'), name: text('name'), role: f.get('role') === 'admin' ? 'admin' : 'user' });
  };
  if (make.data?.password) return <Secret what="password" secret={make.data.password} close={close} />;
  if (make.data) return <Made close={close} />;
  return (
    <form onSubmit={submit} className="space-y-4">
      <Field label="Email" name="email" type="email" maxLength={254} autoComplete="off" help="A password is made up and shown once." />
      <Field label="Unix user" name="unix_name" maxLength={32} autoComplete="off" help="For the command line on the host. One of the two is needed." />
      <Field label="Name" name="name" maxLength={64} autoComplete="off" help="As shown to others." />
      <Choice label="Role" name="role" defaultValue="user"><option value="user">user</option><option value="admin">admin</option></Choice>
      <ErrorNote error={make.error} />
      <div className="flex flex-wrap justify-end gap-2 pt-2">
        <Button onClick={close}>Cancel</Button>
        <Button type="submit" look="primary" busy={make.isPending}>Make the account</Button>
      </div>
    </form>
  );
}

function Made({ close }: { close: () => void }) {
  return (
    <>
      <p role="status">The account is there.</p>
      <div className="mt-4 flex justify-end"><Button look="primary" onClick={close}>Done</Button></div>
    </>
  );
}

function EditUser({ user, self, close }: { user: User; self: boolean; close: () => void }) {
  const client = useQueryClient();
  const set = useMutation({
    mutationFn: (body: { role?: 'user' | 'admin'; session_limit?: number; disabled?: boolean; name?: string; reset_password?: boolean }) =>
      data(api.PATCH('/api/v1/admin/users/{ref}', { params: { path: { ref: user.user_id } }, body })),
    onSuccess: (out) => {
      void client.invalidateQueries({ queryKey: ['users'] });
      if (!out.password) close();
    },
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const f = new FormData(e.currentTarget);
    set.mutate({
      name: String(f.get('name')), session_limit: Number(f.get('session_limit')),
      ...(self ? {} : { role: f.get('role') === 'admin' ? 'admin' : 'user', disabled: f.get('state') === 'disabled' }),
    });
  };
  if (set.data?.password) return <Secret what="password" secret={set.data.password} close={close} />;
  return (
    <form onSubmit={submit} className="space-y-4">
      <Field label="Name" name="name" defaultValue={user.name} maxLength={64} autoComplete="off" />
      <Field label="Sessions at once" name="session_limit" type="number" min={0} max={64} defaultValue={String(user.session_limit)} help="0 is the host's default." />
      {!self && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Choice label="Role" name="role" defaultValue={user.role}><option value="user">user</option><option value="admin">admin</option></Choice>
          <Choice label="State" name="state" defaultValue={user.disabled ? 'disabled' : 'enabled'} help="A disabled account is signed out everywhere at once."><option value="enabled">enabled</option><option value="disabled">disabled</option></Choice>
        </div>
      )}
      <ErrorNote error={set.error} />
      <div className="flex flex-wrap justify-between gap-2 pt-2">
        <Button look="danger" disabled={set.isPending || !user.email || self} onClick={() => set.mutate({ reset_password: true })}>Reset password</Button>
        <div className="flex gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" look="primary" busy={set.isPending}>Save</Button>
        </div>
      </div>
    </form>
  );
}
