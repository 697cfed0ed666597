'use client';

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, data } from '@/api/client';
import { doctorQuery, healthQuery, hostQuery } from '@/api/queries';
import { bytes, moment, percent, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { Card, Empty, Facts, Meter, Skeleton, Status } from '@/ui/layout';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';
import { AdminFrame } from './admin-frame';

export function AdminHealth() {
  return (
    <AdminFrame actions={<Reconcile />}>
      <Health />
    </AdminFrame>
  );
}

function Health() {
  const health = useQuery(healthQuery);
  const h = health.data;
  return (
    <div className="space-y-6">
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <Card title="Health" flush actions={h && <Status of={h.status} />}>
          {health.isPending && <Skeleton lines={5} />}
          {health.error && <div className="p-4"><ErrorNote error={health.error} /></div>}
          {h && (h.parts?.length ?? 0) === 0 && <Empty title="All is well">The database, containerd and the last look at everything.</Empty>}
          {h?.parts && h.parts.length > 0 && (
            <Table caption="What is not well" rows={h.parts} id={(p) => p.part} columns={[
              { title: 'Part', head: true, cell: (p) => p.part },
              { title: 'Why', cell: (p) => p.why },
              { title: 'Since', wide: true, cell: (p) => moment(p.since) },
            ]} />
          )}
        </Card>
        <Host />
      </div>
      <Doctor />
    </div>
  );
}

function Host() {
  const host = useQuery(hostQuery);
  const h = host.data;
  const of = (label: string, used: number | null, total: number | null) => (used === null || total === null ? 'not known' : <Meter label={label} value={percent(used, total)} text={`${bytes(used)} of ${bytes(total)}`} />);
  return (
    <Card title="Host">
      {host.isPending && <Skeleton />}
      <ErrorNote error={host.error} />
      {h && (
        <Facts columns={2} rows={[
          ['Processors', h.cpu_percent === null ? plural(h.cpus, 'processor') : <Meter key="c" label="Processors in use" value={Math.round(h.cpu_percent)} text={`${Math.round(h.cpu_percent)} % of ${h.cpus}`} />],
          ['Sessions', <Meter key="s" label="Session slots in use" value={percent(h.slots_total - h.slots_free, h.slots_total)} text={`${h.slots_total - h.slots_free} of ${h.slots_total}`} />],
          ['Memory', of('Memory in use', h.memory_used_bytes, h.memory_total_bytes)],
          ['Workspaces', of('Space in use by workspaces', h.pool_used_bytes, h.pool_total_bytes)],
        ]} />
      )}
    </Card>
  );
}

function Doctor() {
  const doctor = useQuery(doctorQuery);
  const rows = doctor.data?.checks ?? [];
  return (
    <Card title="Prerequisites" flush actions={<Button busy={doctor.isFetching} onClick={() => void doctor.refetch()}>Check again</Button>}>
      {doctor.isPending && <Skeleton />}
      {doctor.error && <div className="p-4"><ErrorNote error={doctor.error} /></div>}
      {doctor.data && rows.length === 0 && <Empty title="Nothing to check" />}
      {rows.length > 0 && (
        <Table caption="The host's prerequisites" rows={rows} id={(c) => c.name} columns={[
          { title: 'Check', head: true, cell: (c) => c.name },
          { title: 'State', cell: (c) => <Status of={c.status} /> },
          { title: 'Found', cell: (c) => <><span className="wrap-anywhere">{c.detail}</span>{c.fix && <p className="mt-1"><code>{c.fix}</code></p>}</> },
        ]} />
      )}
    </Card>
  );
}

/** Reconcile brings rows and reality together now, and says what it found. */
function Reconcile() {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => data(api.POST('/api/v1/admin/reconcile')),
    onSuccess: () => void client.invalidateQueries(),
  });
  const orphans = run.data?.orphans ?? [];
  return (
    <div className="flex flex-wrap items-center gap-3">
      <div aria-live="polite">
        {run.error && <Note tone="bad">{run.error.message}</Note>}
        {run.data && <span className="text-muted text-sm">{orphans.length === 0 ? `Rows and reality agree; ${plural(run.data.active, 'active session')}` : orphans.map((o) => `${o.kind} ${o.name}: ${o.why}`).join('; ')}</span>}
      </div>
      <Button busy={run.isPending} onClick={() => run.mutate()}>Reconcile</Button>
    </div>
  );
}
