'use client';

import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import type { ReactNode } from 'react';
import type { CompetitionDetail } from '@/api/client';
import { competitionQuery } from '@/api/queries';
import { useMounted, useSegment, useTitle } from '@/lib/hooks';
import { metricName } from '@/lib/words';
import { cx } from '@/ui/cx';
import { PageHeader, Skeleton } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';

const parts = [
  { end: '', name: 'Overview' },
  { end: '/data', name: 'Data' },
  { end: '/submissions', name: 'Submit' },
  { end: '/leaderboard', name: 'Leaderboard' },
];

/** CompetitionFrame is a competition's title and its parts, around one of them. */
export function CompetitionFrame({ part, children }: { part: string; children: (c: CompetitionDetail) => ReactNode }) {
  const slug = useSegment(1);
  const path = usePathname();
  const mounted = useMounted();
  const competition = useQuery({ ...competitionQuery(slug), enabled: slug !== '' });
  const c = competition.data;
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
      <nav aria-label="Competition" className="border-line -mt-2 mb-6 flex gap-1 overflow-x-auto border-b">
        {parts.map((p) => {
          const href = `/competitions/${slug}${p.end}`;
          const here = mounted && path === href;
          return (
            <Link key={p.name} href={href} aria-current={here ? 'page' : undefined}
              className={cx('-mb-px border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap -outline-offset-2', here ? 'border-accent text-accent' : 'text-muted hover:text-ink border-transparent')}>
              {p.name}
            </Link>
          );
        })}
      </nav>
      {children(c)}
    </>
  );
}
