'use client';

import { lazy, Suspense } from 'react';
import type { CompetitionDetail } from '@/api/client';
import { plural } from '@/lib/format';
import { metricName } from '@/lib/words';
import { LinkButton } from '@/ui/button';
import { Card, Facts, Skeleton } from '@/ui/layout';
import { Link } from '@/ui/link';
import { CompetitionFrame } from './competition-frame';

const markdown = () => import('@/ui/markdown');
const Markdown = lazy(markdown);
if (typeof window !== 'undefined') void markdown().catch(() => {}); // while the description is on its way; lazy tells of a failure

export function CompetitionPage() {
  return <CompetitionFrame part="Overview">{(c) => <Suspense fallback={<Skeleton lines={6} />}><Overview c={c} /></Suspense>}</CompetitionFrame>;
}

/** Overview appears as a whole: the rules would move down when the description comes after them. */
function Overview({ c }: { c: CompetitionDetail }) {
  return (
    <div className="grid items-start gap-6 lg:grid-cols-3">
      <Card className="lg:col-span-2"><Markdown text={withoutTitle(c.description)} /></Card>
      <div className="space-y-6">
        <Card title="Rules">
          <Facts rows={[
            ['Metric', `${metricName(c.metric)} (${c.metric_version}), ${c.higher_is_better ? 'higher' : 'lower'} is better`],
            ['A submission', <span key="s">CSV with <code>{c.columns.join(',')}</code> and {plural(c.rows, 'row')}</span>],
            ['Submissions', `${c.submission_cap_per_day} a day, and ${c.attempt_cap_per_day} tries, refused ones included; the day is UTC's`],
            ['Board', c.leaderboard_rule === 'best_per_user' ? 'Each person’s best score; the earlier one of equals is first' : c.leaderboard_rule],
            ['Scoring', 'At once, against hidden labels'],
            ['Ends', c.is_permanent ? 'Never' : 'See the description'],
          ]} />
          <div className="mt-5 flex flex-wrap gap-2">
            <LinkButton href={`/competitions/${c.slug}/submissions`} look="primary">Submit</LinkButton>
            <LinkButton href={`/competitions/${c.slug}/leaderboard`}>Leaderboard</LinkButton>
          </div>
        </Card>
        <Card title="Provenance">
          <Facts rows={[
            ...(c.dataset_slug ? [['Dataset', <Link key="d" className="link" href={`/datasets/${c.dataset_slug}`}>{c.dataset_title || c.dataset_slug}</Link>]] as [string, React.ReactNode][] : []),
            ['License', c.license || 'Not stated'],
            ['Source', c.source || 'Not stated'],
            ['Split', <code key="v">{c.evaluation_split_version}</code>],
            ['Revision', String(c.revision)],
          ]} />
        </Card>
      </div>
    </div>
  );
}

/** withoutTitle: the page has the competition's title already. */
const withoutTitle = (markdown: string): string => markdown.replace(/^\s*# .*\n+/, '');
