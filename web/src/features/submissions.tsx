'use client';

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { CompetitionDetail, Submission } from '@/api/client';
import { meQuery, mineQuery } from '@/api/queries';
import { ago, bytes, score } from '@/lib/format';
import { useNow } from '@/lib/hooks';
import { ownProgress } from '@/lib/progress';
import { Button, LinkButton } from '@/ui/button';
import { ChartCard } from '@/ui/chart-card';
import { Card, Empty, Skeleton, Status } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';
import { Table } from '@/ui/table';
import { CompetitionFrame } from './competition-frame';
import { SubmitForm } from './submit-form';

export function SubmissionsPage() {
  return <CompetitionFrame part="Submit">{(c) => <Submissions c={c} />}</CompetitionFrame>;
}

function Submissions({ c }: { c: CompetitionDetail }) {
  const me = useQuery(meQuery).data;
  if (me === undefined) return <Skeleton />;
  if (me === null) {
    return (
      <Card>
        <Empty title="Sign in to submit" actions={<LinkButton look="primary" href={`/signin?${new URLSearchParams({ next: `/competitions/${c.slug}/submissions` })}`}>Sign in</LinkButton>}>
          The board and the description are there for everybody.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="space-y-6">
      <SubmitForm c={c} />
      <Own c={c} />
    </div>
  );
}

function Own({ c }: { c: CompetitionDetail }) {
  const mine = useInfiniteQuery(mineQuery(c.slug));
  const now = useNow(10_000);
  const rows = useMemo(() => mine.data?.pages.flatMap((p) => p.data) ?? [], [mine.data]);
  const progress = useMemo(() => ownProgress(rows, c.higher_is_better), [rows, c.higher_is_better]);
  if (mine.isPending) return <Card><Skeleton /></Card>; // whether a chart stands before the list is known with it
  return (
    <>
      {progress.times.length > 1 && <ChartCard title="Your scores" progress={progress} />}
      <Card title="Your submissions" flush>
        {mine.error && rows.length === 0 && <div className="p-4"><ErrorNote error={mine.error} retry={() => void mine.refetch()} /></div>}
        {mine.data && rows.length === 0 && <Empty title="None yet">What you submit is listed here with its score.</Empty>}
        {rows.length > 0 && (
          <Table caption="Your submissions, newest first" rows={rows} id={(s) => s.id} columns={[
            { title: 'File', head: true, cell: (s) => <FileCell s={s} /> },
            { title: 'Score', right: true, cell: (s) => (s.official_score ? <span className="font-mono">{score(s.official_score.primary_score)}</span> : '–') },
            { title: 'Status', cell: (s) => <><Status of={s.score_status} />{s.score_error && <p className="text-bad mt-1 max-w-80 text-xs">{s.score_error}</p>}</> },
            { title: 'Sent', wide: true, cell: (s) => <span className="whitespace-nowrap">{ago(s.created_at, now)}</span> },
            { title: 'Size', right: true, wide: true, cell: (s) => <span className="whitespace-nowrap">{bytes(s.size_bytes)}</span> },
          ]} />
        )}
        {mine.hasNextPage && <div className="border-line border-t p-3 text-center"><Button busy={mine.isFetchingNextPage} onClick={() => void mine.fetchNextPage()}>Show more</Button></div>}
      </Card>
    </>
  );
}

function FileCell({ s }: { s: Submission }) {
  return (
    <div className="max-w-64 min-w-32">
      <p className="truncate" title={s.filename}>{s.filename}</p>
      {s.message && <p className="text-muted truncate text-xs" title={s.message}>{s.message}</p>}
    </div>
  );
}
