'use client';

import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Point } from '@/lib/progress';

const height = 240;

/** Chart draws scores over time as dots, and the best so far as a line. What it shows is in a table beside it, too. */
export default function Chart({ points, best, label, bestLabel }: { points: Point[]; best: number[]; label: string; bestLabel: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(el, label, bestLabel, points), [points.map((p) => p.at), points.map((p) => p.score), best], el);
    };
    draw();
    dark.addEventListener('change', draw);
    const resize = new ResizeObserver(() => plot?.setSize({ width: el.clientWidth, height }));
    resize.observe(el);
    return () => {
      dark.removeEventListener('change', draw);
      resize.disconnect();
      plot?.destroy();
    };
  }, [points, best, label, bestLabel]);
  return <div ref={box} role="img" aria-label={`${label} over time, with ${bestLabel.toLowerCase()}`} className="min-h-60 w-full overflow-hidden" />;
}

function options(el: HTMLElement, label: string, bestLabel: string, points: Point[]): uPlot.Options {
  const css = getComputedStyle(el);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 }, font: `12px ${css.fontFamily}` };
  const first = points[0]?.at ?? 0;
  const last = points[points.length - 1]?.at ?? 0;
  const pad = Math.max(60, (last - first) * 0.04); // one point alone stands in the middle
  const scores = points.map((p) => p.score);
  const low = Math.min(...scores);
  const high = Math.max(...scores);
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return {
    width: el.clientWidth,
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: [first - pad, last + pad] }, y: { range: [low - room, high + room] } },
    axes: [axis, { ...axis, size: 64 }],
    series: [
      {},
      { label, stroke: color('--strong-line'), width: 0, paths: () => null, points: { show: true, size: 7, fill: color('--surface'), stroke: color('--strong-line'), width: 2 } },
      { label: bestLabel, stroke: color('--accent'), width: 2, paths: uPlot.paths.stepped?.({ align: 1 }), points: { show: false } },
    ],
  };
}
