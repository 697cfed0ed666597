'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useDeferredValue } from 'react';
import type { Session, Snapshot } from '@/api/client';
import { gpusQuery, sessionQuery, snapshotsQuery, usageQuery } from '@/api/queries';
import { stageNames, type Stage } from '@/api/stages';
import { bytes, duration, moment, percent, shortDigest } from '@/lib/format';
import { useNow, useRequired, useSegment, useTitle } from '@/lib/hooks';
import { sentence } from '@/lib/words';
import { Spinner } from '@/ui/button';
import { Card, Empty, Facts, Meter, PageHeader, Skeleton, Status } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';
import { SessionActions, StartSession } from './session-actions';
import { SessionLog } from './session-log';

export function SessionPage() {
  const me = useRequired();
  const slug = useSegment(1);
  useTitle(slug && `Session ${slug}`);
  const session = useQuery({ ...sessionQuery(slug), enabled: Boolean(me && slug) });
  const s = useDeferredValue(session.data); // as in useRequired
  if (session.error && !s) {
    return (
      <>
        <PageHeader title={`Session ${slug}`} above={<Link className="link" href="/sessions">Sessions</Link>} />
        <ErrorNote error={session.error} retry={() => void session.refetch()} />
      </>
    );
  }
  if (!me || !s) return <Skeleton />;
  return (
    <>
      <PageHeader title={<span className="inline-flex flex-wrap items-center gap-3"><span className="font-mono">{s.slug}</span><Status of={s.status} /></span>}
        above={<Link className="link" href="/sessions">Sessions</Link>} actions={<SessionActions session={s} />} />
      <p role="status" className="sr-only">Session {s.slug} is {s.status}</p>
      <div className="space-y-6">
        {s.error_message && <Note tone="bad" title="It ended in error">{sentence(s.error_message)}</Note>}
        {s.status === 'starting' && <Stages slug={s.slug} since={s.created_at} />}
        {s.status === 'stopping' && <Note tone="warn" title="Stopping">Its programs end, then a snapshot of the files is taken. Only then is its GPU free again.</Note>}
        <div className="grid items-start gap-6 lg:grid-cols-2">
          <Card title="Session"><Details session={s} /></Card>
          <Files session={s} />
        </div>
        <SessionLog session={s} />
      </div>
    </>
  );
}

/** Stages are the steps of the start as they are done. */
function Stages({ slug, since }: { slug: string; since: string }) {
  const client = useQueryClient();
  // The stream writes them; nobody fetches.
  const stages = useQuery<Stage[]>({ queryKey: ['stages', slug], queryFn: () => client.getQueryData<Stage[]>(['stages', slug]) ?? [], staleTime: Infinity }).data ?? [];
  const now = useNow(500);
  const names = Object.keys(stageNames);
  const done = new Map(stages.map((s) => [s.name, s]));
  // A page that was opened in the middle of a start has not seen its beginning.
  const last = Math.max(-1, ...names.map((n, i) => (done.has(n) ? i : -1)));
  return (
    <Card title="Starting" actions={<span className="text-muted text-sm tabular-nums">{duration(now - Date.parse(since))}</span>}>
      <ol className="grid gap-2 sm:grid-cols-3 lg:grid-cols-6" aria-label="Stages of the start">
        {names.map((name, i) => {
          const stage = done.get(name);
          return (
            <li key={name} className="flex items-center gap-2 text-sm">
              {stage?.error ? <span className="text-bad" aria-hidden="true">✕</span> : i <= last ? <span className="text-ok" aria-hidden="true">✓</span> : i === last + 1 ? <Spinner /> : <span className="text-muted" aria-hidden="true">○</span>}
              <span className={i > last + 1 ? 'text-muted' : undefined}>{stageNames[name]}</span>
              {stage && <span className="text-muted tabular-nums">{stage.error || duration(stage.ms)}</span>}
              <span className="sr-only">{i <= last ? 'done' : i === last + 1 ? 'under way' : 'waiting'}</span>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}

function Details({ session: s }: { session: Session }) {
  const gpu = useQuery(gpusQuery).data?.find((g) => g.session === s.slug);
  const active = s.status === 'starting' || s.status === 'running' || s.status === 'stopping'; // it has readings, or will
  return (
    <Facts columns={2} rows={[
      ['GPU', `${s.gpu_id}${gpu ? `, ${gpu.name}` : ''}`, 'wide'],
      ...(active ? [
        ['Use', gpu ? <Meter key="use" label="GPU in use" value={gpu.utilisation_percent} /> : <span className="block text-sm">–</span>],
        ['GPU memory', gpu ? `${bytes(gpu.memory_used_bytes)} of ${bytes(gpu.memory_total_bytes)}` : '–'],
        ['Temperature', gpu ? `${gpu.temperature_c} °C` : '–'],
      ] as [string, React.ReactNode][] : []),
      ['Asked for', moment(s.created_at)],
      ['Ready', s.started_at ? `${moment(s.started_at)}, after ${duration(Date.parse(s.started_at) - Date.parse(s.created_at))}` : '–'],
      ...(s.stopped_at ? [['Ended', moment(s.stopped_at)]] as [string, string][] : []),
      ['Pack', <span key="pack">{s.pack_id} <code>{shortDigest(s.pack_digest)}</code></span>],
      ['Address', <code key="url">{s.url}</code>, 'wide'],
      ...(s.workspace_zfs ? [['Dataset', <code key="zfs">{s.workspace_zfs}</code>, 'wide']] as [string, React.ReactNode, 'wide'][] : []),
    ]} />
  );
}

function Files({ session: s }: { session: Session }) {
  const made = s.status !== 'starting'; // there is no workspace to ask about before
  const snapshots = useQuery({ ...snapshotsQuery(s.slug), enabled: made });
  const usage = useQuery({ ...usageQuery(s.slug), enabled: made }).data;
  const newestFirst = [...(snapshots.data ?? [])].reverse();
  const space = usage && (usage.quota_bytes > 0
    ? <Meter label="Space in use" value={percent(usage.used_bytes, usage.quota_bytes)} text={`${bytes(usage.used_bytes)} of ${bytes(usage.quota_bytes)}`} />
    : <span className="text-muted text-sm">{bytes(usage.used_bytes)} in use</span>);
  return (
    <Card title="Snapshots" flush actions={space}>
      {!made && <Empty title="No snapshots yet">One is taken of all files each time the session stops.</Empty>}
      {made && snapshots.isPending && <Skeleton lines={2} />}
      {snapshots.error && <div className="p-4"><ErrorNote error={snapshots.error} /></div>}
      {snapshots.data && newestFirst.length === 0 && <Empty title="No snapshots yet">One is taken of all files each time the session stops.</Empty>}
      {newestFirst.length > 0 && (
        <Table caption={`Snapshots of session ${s.slug}`} rows={newestFirst} id={(n) => n.name} columns={[
          { title: 'Snapshot', head: true, cell: (n) => <code>{n.name}</code> },
          { title: 'Taken', cell: (n) => moment(n.created_at) },
          ...(newestFirst.length > 1 ? [{ title: 'Its files', cell: (n: Snapshot) => <StartSession from={`${s.slug}@${n.name}`} /> }] : []),
          { title: 'Own space', right: true, wide: true, cell: (n) => (n.used_bytes == null ? '–' : bytes(n.used_bytes)) },
        ]} />
      )}
    </Card>
  );
}
