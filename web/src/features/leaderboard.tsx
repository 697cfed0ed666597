'use client';

import { useInfiniteQuery, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, call, type CompetitionDetail, type LeaderboardEntry } from '@/api/client';
import { boardQuery, historyQuery, meQuery } from '@/api/queries';
import { boardCSV } from '@/lib/csv';
import { ago, plural, score } from '@/lib/format';
import { useNow } from '@/lib/hooks';
import { leaders } from '@/lib/progress';
import { save } from '@/lib/save';
import { Button, LinkButton } from '@/ui/button';
import { ChartCard } from '@/ui/chart-card';
import { Badge, Card, Empty, Skeleton } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';
import { type Column, Table } from '@/ui/table';
import { CompetitionFrame } from './competition-frame';

export function LeaderboardPage() {
  return <CompetitionFrame part="Leaderboard">{(c) => <Board c={c} />}</CompetitionFrame>;
}

function Board({ c }: { c: CompetitionDetail }) {
  const board = useInfiniteQuery(boardQuery(c.slug));
  const me = useQuery(meQuery).data;
  const now = useNow(10_000);
  const first = board.data?.pages[0]?.data;
  const rows = useMemo(() => board.data?.pages.flatMap((p) => p.data.entries) ?? [], [board.data]);
  const mine = first?.me ?? null;
  const inSight = mine !== null && rows.some((e) => e.user_id === mine.user_id);
  if (board.isPending) return <Skeleton />;
  if (board.error && !first) return <ErrorNote error={board.error} retry={() => void board.refetch()} />;
  return (
    <div className="space-y-6">
      {mine && !inSight && (
        <Card title="Your place" flush><BoardTable rows={[mine]} me={me?.user_id} now={now} caption="Your place on the board" /></Card>
      )}
      <Card flush title={<span>{plural(first?.total ?? 0, 'person', 'people')} <span className="text-muted text-sm font-normal">split {first?.evaluation_split_version}</span></span>}
        actions={<><span className="sr-only" role="status">{mine ? `You are at rank ${mine.rank} of ${first?.total}` : ''}</span><Download slug={c.slug} disabled={rows.length === 0} /></>}>
        {rows.length === 0
          ? <Empty title="Nobody yet" actions={<LinkButton look="primary" href={`/competitions/${c.slug}/submissions`}>Be the first</LinkButton>}>The board shows each person&apos;s best score.</Empty>
          : <BoardTable rows={rows} me={me?.user_id} now={now} caption="Leaderboard, best first" />}
        {board.hasNextPage && <div className="border-line border-t p-3 text-center"><Button busy={board.isFetchingNextPage} onClick={() => void board.fetchNextPage()}>Show more</Button></div>}
      </Card>
      {rows.length > 0 && <Leaders slug={c.slug} top={rows.slice(0, 5)} />}
    </div>
  );
}

/** Leaders is how the bests of those in front came about. */
function Leaders({ slug, top }: { slug: string; top: LeaderboardEntry[] }) {
  const progress = useQueries({
    queries: top.map((e) => historyQuery(slug, e.user_id)),
    combine: (all) => (all.every((q) => q.data) ? leaders(all.map((q, i) => ({ name: top[i]?.name ?? '', history: q.data ?? [] }))) : null),
  });
  return progress && progress.times.length > 0 ? <ChartCard title="Leading scores over time" progress={progress} /> : null;
}

function BoardTable({ rows, me, now, caption }: { rows: LeaderboardEntry[]; me?: string; now: number; caption: string }) {
  const columns: Column<LeaderboardEntry>[] = [
    { title: 'Rank', right: true, cell: (e) => e.rank },
    { title: 'Name', head: true, cell: (e) => <span className="wrap-anywhere">{e.name} {e.user_id === me && <Badge>you</Badge>}</span> },
    { title: 'Score', right: true, cell: (e) => <span className="font-mono">{score(e.primary_score)}</span> },
    { title: 'Scored', wide: true, cell: (e) => ago(e.scored_at, now) },
  ];
  return <Table caption={caption} columns={columns} rows={rows} id={(e) => e.user_id} mark={(e) => e.user_id === me} />;
}

/** Download saves the whole board, however many pages it has. */
function Download({ slug, disabled }: { slug: string; disabled: boolean }) {
  const client = useQueryClient();
  const csv = useMutation({
    mutationFn: async () => {
      const all: LeaderboardEntry[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await call(api.GET('/api/v1/competitions/{slug}/leaderboard', { params: { path: { slug }, query: { limit: 500, cursor } } }));
        all.push(...page.data.entries);
        if (!page.meta.next_cursor) return all;
        cursor = page.meta.next_cursor;
      }
    },
    onSuccess: (all) => save(`${slug}-leaderboard.csv`, 'text/csv', boardCSV(all)),
    onError: () => void client.invalidateQueries({ queryKey: ['board', slug] }),
  });
  return (
    <>
      {csv.error && <span role="alert" className="text-bad text-sm">{csv.error.message}</span>}
      <Button busy={csv.isPending} disabled={disabled} onClick={() => csv.mutate()}>Download CSV</Button>
    </>
  );
}
