'use client';

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent } from 'react';
import { api, data, type GPU } from '@/api/client';
import { competitionsQuery, packsQuery, queueQuery, usersQuery } from '@/api/queries';
import { bytes, moment, plural, shortDigest } from '@/lib/format';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/dialog';
import { Choice } from '@/ui/field';
import { Badge, Card, Empty, Skeleton } from '@/ui/layout';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';
import { AdminFrame } from './admin-frame';
import { GPUTable } from './gpus';
import { SessionTable } from './sessions';

export function AdminSessions() {
  return <AdminFrame><Sessions /></AdminFrame>;
}

function Sessions() {
  const users = useInfiniteQuery(usersQuery).data?.pages.flatMap((p) => p.data) ?? [];
  const name = (id: string) => {
    const u = users.find((x) => x.user_id === id);
    return u ? u.name || u.email || u.unix_name : `${id.slice(0, 8)}…`;
  };
  return <Card title="Everybody's sessions" flush><SessionTable all owner={name} /></Card>;
}

export function AdminGPUs() {
  return <AdminFrame><Card flush><GPUTable actions={(g) => <Switch g={g} />} /></Card></AdminFrame>;
}

function Switch({ g }: { g: GPU }) {
  const client = useQueryClient();
  const enable = g.status === 'disabled' || g.status === 'quarantined';
  const set = async () => {
    const at = { params: { path: { ref: g.uuid } } };
    await data(enable ? api.POST('/api/v1/admin/gpus/{ref}/enable', at) : api.POST('/api/v1/admin/gpus/{ref}/disable', at));
    await client.invalidateQueries({ queryKey: ['gpus'] });
  };
  if (enable) return <Confirm look="secondary" trigger="Enable" title={`Enable GPU ${g.index}?`} action="Enable" act={set}>It takes sessions again.{g.reason && ` It was set aside: ${g.reason}.`}</Confirm>;
  return <Confirm trigger="Disable" title={`Disable GPU ${g.index}?`} action="Disable" act={set}>It takes no new session. One that has it goes on.</Confirm>;
}

export function AdminPacks() {
  return <AdminFrame><Packs /></AdminFrame>;
}

function Packs() {
  const client = useQueryClient();
  const packs = useQuery(packsQuery);
  const rows = packs.data ?? [];
  const use = async (digest: string) => {
    await data(api.POST('/api/v1/admin/packs/use', { body: { digest } }));
    await client.invalidateQueries({ queryKey: ['packs'] });
  };
  return (
    <div className="space-y-6">
      <Card title="Packs" flush>
        {packs.isPending && <Skeleton />}
        {packs.error && <div className="p-4"><ErrorNote error={packs.error} retry={() => void packs.refetch()} /></div>}
        {packs.data && rows.length === 0 && <Empty title="No Pack is imported">Sessions need one: <code>medforge admin pack import FILE</code></Empty>}
        {rows.length > 0 && (
          <Table caption="Imported Packs" rows={rows} id={(p) => `${p.id}@${p.digest}`} columns={[
            { title: 'Pack', head: true, cell: (p) => <>{p.id} <code>{shortDigest(p.digest)}</code></> },
            { title: 'State', cell: (p) => (p.in_use ? <Badge tone="ok">in use</Badge> : <Badge>kept</Badge>) },
            { title: 'Imported', wide: true, cell: (p) => moment(p.imported_at) },
            { title: 'Size', right: true, cell: (p) => bytes(p.size_bytes) },
            { title: 'Action', right: true, cell: (p) => (p.in_use ? '–' : <Confirm look="secondary" trigger="Use" title={`Use ${p.id} ${shortDigest(p.digest)}?`} action="Use it" act={() => use(p.digest)}>New sessions run it. Those that run now stay as they are.</Confirm>) },
          ]} />
        )}
      </Card>
      <Note>An image of a gigabyte is imported on the host: <code>medforge admin pack import FILE</code></Note>
    </div>
  );
}

export function AdminQueue() {
  return <AdminFrame><Queue /></AdminFrame>;
}

function Queue() {
  const queue = useQuery(queueQuery);
  const competitions = useQuery(competitionsQuery).data ?? [];
  const client = useQueryClient();
  const all = useMutation({
    mutationFn: (slug: string) => data(api.POST('/api/v1/admin/competitions/{slug}/score', { params: { path: { slug } } })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['queue'] }),
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    all.mutate(String(new FormData(e.currentTarget).get('slug')));
  };
  return (
    <div className="grid items-start gap-6 lg:grid-cols-2">
      <Card title="Scoring queue">
        {queue.isPending && <Skeleton lines={1} />}
        <ErrorNote error={queue.error} />
        {queue.data && <p role="status" className="text-lg">{queue.data.waiting === 0 ? 'Nothing waits.' : `${plural(queue.data.waiting, 'submission')} ${queue.data.waiting === 1 ? 'waits' : 'wait'} or ${queue.data.waiting === 1 ? 'is' : 'are'} being scored.`}</p>}
      </Card>
      <Card title="Score again">
        <form onSubmit={submit} className="space-y-4">
          <Choice label="Competition" name="slug" help="All of its submissions, behind those that people wait for. Old scores are kept.">
            {competitions.map((c) => <option key={c.slug} value={c.slug}>{c.title}</option>)}
          </Choice>
          <ErrorNote error={all.error} />
          <div aria-live="polite">{all.data && <Note tone="ok">{plural(all.data.queued, 'submission')} queued.</Note>}</div>
          <Button type="submit" busy={all.isPending} disabled={competitions.length === 0}>Score all again</Button>
        </form>
      </Card>
    </div>
  );
}
