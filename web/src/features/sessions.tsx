'use client';

import { useInfiniteQuery } from '@tanstack/react-query';
import type { Session } from '@/api/client';
import { sessionsQuery } from '@/api/queries';
import { ago, duration } from '@/lib/format';
import { useNow, useRequired } from '@/lib/hooks';
import { Button } from '@/ui/button';
import { Card, Empty, PageHeader, Skeleton, Status } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote } from '@/ui/note';
import { type Column, Table } from '@/ui/table';
import { StartSession } from './session-actions';

export function Sessions() {
  const me = useRequired();
  if (!me) return <Skeleton />;
  return (
    <>
      <PageHeader title="Sessions" lead="VS Code in the browser, each with one GPU. What was stopped keeps its files." actions={<StartSession />} />
      <Card flush><SessionTable all={false} /></Card>
    </>
  );
}

/** SessionTable lists sessions, newest first; an admin can see everybody's. */
export function SessionTable({ all, owner }: { all: boolean; owner?: (id: string) => string }) {
  const sessions = useInfiniteQuery(sessionsQuery(all));
  const now = useNow(10_000);
  const rows = sessions.data?.pages.flatMap((p) => p.data) ?? [];
  if (sessions.isPending) return <Skeleton />;
  if (sessions.error && rows.length === 0) return <div className="p-4"><ErrorNote error={sessions.error} retry={() => void sessions.refetch()} /></div>;
  if (rows.length === 0) {
    return <Empty title="No sessions yet">{all ? 'Nobody has started one.' : 'Start one: it is ready in seconds.'}</Empty>;
  }
  const columns: Column<Session>[] = [
    { title: 'Session', head: true, cell: (s) => <Link className="link font-mono font-medium" href={`/sessions/${s.slug}`}>{s.slug}</Link> },
    { title: 'Status', cell: (s) => <Status of={s.status} /> },
    { title: 'Started', cell: (s) => <span className="whitespace-nowrap">{ago(s.created_at, now)}</span> },
    { title: 'Ran for', wide: true, cell: (s) => ran(s, now) },
    { title: 'GPU', right: true, wide: true, cell: (s) => s.gpu_id },
  ];
  if (owner) columns.splice(1, 0, { title: 'Owner', cell: (s) => owner(s.user_id) });
  return (
    <>
      <Table caption={all ? 'Everybody’s sessions' : 'Your sessions'} columns={columns} rows={rows} id={(s) => s.id} />
      {sessions.hasNextPage && <div className="border-line border-t p-3 text-center"><Button busy={sessions.isFetchingNextPage} onClick={() => void sessions.fetchNextPage()}>Show more</Button></div>}
    </>
  );
}

function ran(s: Session, now: number): string {
  if (!s.started_at) return '–';
  return duration((s.stopped_at ? Date.parse(s.stopped_at) : now) - Date.parse(s.started_at));
}
