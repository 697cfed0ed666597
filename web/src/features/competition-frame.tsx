'use client';

import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useDeferredValue } from 'react';
import type { CompetitionDetail } from '@/api/client';
import { competitionQuery } from '@/api/queries';
import { useSegment, useTitle } from '@/lib/hooks';
import { metricName } from '@/lib/words';
import { PageHeader, Skeleton } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote } from '@/ui/note';
import { Parts } from '@/ui/parts';

const parts = [
  { end: '', name: 'Overview' },
  { end: '/data', name: 'Data' },
  { end: '/submissions', name: 'Submit' },
  { end: '/leaderboard', name: 'Leaderboard' },
];

/** CompetitionFrame is a competition's title and its parts, around one of them. */
export function CompetitionFrame({ part, children }: { part: string; children: (c: CompetitionDetail) => ReactNode }) {
  const slug = useSegment(1);
  const competition = useQuery({ ...competitionQuery(slug), enabled: slug !== '' });
  const c = useDeferredValue(competition.data); // as in useRequired
  useTitle(c ? (part === 'Overview' ? c.title : `${part}, ${c.title}`) : '');
  const above = <Link className="link" href="/competitions">Competitions</Link>;
  if (competition.error && !c) {
    return (
      <>
        <PageHeader title={slug} above={above} />
        <ErrorNote error={competition.error} retry={() => void competition.refetch()} />
      </>
    );
  }
  if (!c) return <Skeleton />;
  return (
    <>
      <PageHeader title={c.title} above={above} lead={`${metricName(c.metric)}, ${c.higher_is_better ? 'higher' : 'lower'} is better.`} />
      <Parts label="Competition" parts={parts.map((p) => ({ href: `/competitions/${slug}${p.end}`, name: p.name }))} />
      {children(c)}
    </>
  );
}
