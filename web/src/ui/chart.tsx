'use client';

import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Progress } from '@/lib/progress';

const height = 240;

/** Chart draws scores over time. What it shows is in a table beside it, too. */
export default function Chart({ progress, label }: { progress: Progress; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(el, progress), [progress.times, ...progress.lines.map((l) => l.values)], el);
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
  }, [progress]);
  return <div ref={box} role="img" aria-label={label} className="min-h-60 w-full overflow-hidden" />;
}

function options(el: HTMLElement, { times, lines }: Progress): uPlot.Options {
  const css = getComputedStyle(el);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 }, font: `12px ${css.fontFamily}` };
  const first = times[0] ?? 0;
  const last = times[times.length - 1] ?? 0;
  const pad = Math.max(60, (last - first) * 0.04); // one point alone stands in the middle
  const scores = lines.flatMap((l) => l.values.filter((v) => v !== null));
  const low = Math.min(...scores);
  const high = Math.max(...scores);
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  const series = lines.map((l, i): uPlot.Series => {
    const stroke = color(`--line-${i}`);
    return l.kind === 'dots'
      ? { label: l.label, stroke, width: 0, paths: () => null, points: { show: true, size: 7, fill: color('--surface'), stroke, width: 2 } }
      : { label: l.label, stroke, width: 2, paths: uPlot.paths.stepped?.({ align: 1 }), points: { show: true, size: 5, fill: stroke, stroke } };
  });
  return {
    width: el.clientWidth,
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: [first - pad, last + pad] }, y: { range: [low - room, high + room] } },
    axes: [{ ...axis, space: 90, values: (_u, splits, _axis, _space, step) => splits.map((t) => timeText(t, step)) }, { ...axis, size: 64 }],
    series: [{}, ...series],
  };
}

/** timeText is a moment on the axis, as fine as the steps there are. */
function timeText(seconds: number, step: number): string {
  const at = new Date(seconds * 1000);
  if (step >= 86_400) return at.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
  return at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', hour12: false, ...(step < 60 ? { second: '2-digit' } : {}) });
}
