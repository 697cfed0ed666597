'use client';

import dynamic from 'next/dynamic';
import { Card, Skeleton } from '@/ui/layout';
import type { Point } from '@/lib/progress';

const Chart = dynamic(() => import('./chart'), { ssr: false, loading: () => <Skeleton lines={5} /> });

/** ChartCard is a chart with its key. The chart's code is loaded when one is shown. */
export function ChartCard({ title, points, best, label, bestLabel }: { title: string; points: Point[]; best: number[]; label: string; bestLabel: string }) {
  return (
    <Card title={title} actions={
      <ul className="text-muted flex flex-wrap gap-x-4 text-sm">
        <li className="flex items-center gap-1.5"><span aria-hidden="true" className="border-strong-line size-2.5 rounded-full border-2" />{label}</li>
        <li className="flex items-center gap-1.5"><span aria-hidden="true" className="bg-accent h-0.5 w-4" />{bestLabel}</li>
      </ul>
    }>
      <Chart points={points} best={best} label={label} bestLabel={bestLabel} />
    </Card>
  );
}
