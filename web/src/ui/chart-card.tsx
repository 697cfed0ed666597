'use client';

import dynamic from 'next/dynamic';
import type { Progress } from '@/lib/progress';
import { cx } from './cx';
import { Card } from './layout';

const Chart = dynamic(() => import('./chart'), { ssr: false, loading: () => <div role="status" className="h-60"><span className="sr-only">Loading</span></div> });

const grounds = ['bg-line-0', 'bg-line-1', 'bg-line-2', 'bg-line-3', 'bg-line-4'];
const borders = ['border-line-0', 'border-line-1', 'border-line-2', 'border-line-3', 'border-line-4'];

/** ChartCard is a chart with its key. The chart's code is loaded when one is shown. */
export function ChartCard({ title, progress }: { title: string; progress: Progress }) {
  return (
    <Card title={title} actions={
      <ul className="text-muted flex flex-wrap gap-x-4 text-sm">
        {progress.lines.map((l, i) => (
          <li key={i} className="flex max-w-48 items-center gap-1.5">
            <span aria-hidden="true" className={l.kind === 'dots' ? cx('size-2.5 shrink-0 rounded-full border-2', borders[i]) : cx('h-0.5 w-4 shrink-0', grounds[i])} />
            <span className="truncate">{l.label}</span>
          </li>
        ))}
      </ul>
    }>
      <Chart progress={progress} label={`${title}: ${progress.lines.map((l) => l.label).join(', ')}`} />
    </Card>
  );
}
