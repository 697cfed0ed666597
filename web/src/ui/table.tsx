'use client';

import { type ReactNode, useEffect, useRef, useState } from 'react';
import { cx } from './cx';

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand to the right, so that they can be compared. */
  right?: boolean;
  /** Not shown where the page is narrow. */
  wide?: boolean;
  /** The row's name, read before each of its cells. */
  head?: boolean;
}

/** Table of rows. It scrolls sideways by itself where it does not fit, by keyboard too. */
export function Table<T>({ caption, columns, rows, id, mark }: { caption: string; columns: Column<T>[]; rows: T[]; id: (row: T) => string; mark?: (row: T) => boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const look = () => setScrolls(el.scrollWidth > el.clientWidth + 1);
    const observer = new ResizeObserver(look);
    observer.observe(el);
    if (el.firstElementChild) observer.observe(el.firstElementChild);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={box} className="overflow-x-auto -outline-offset-2" {...(scrolls ? { role: 'region', 'aria-label': caption, tabIndex: 0 } : {})}>
      <table className="w-full text-left text-sm">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr className="border-line border-b">
            {columns.map((c) => <th key={c.title} scope="col" className={cx('text-muted px-3 py-2.5 font-medium whitespace-nowrap sm:px-5', c.right && 'text-right', c.wide && 'hidden md:table-cell')}>{c.title}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} className={cx('border-line border-b last:border-b-0', mark?.(row) && 'bg-accent-soft')} aria-current={mark?.(row) ? 'true' : undefined}>
              {columns.map((c) => {
                const Cell = c.head ? 'th' : 'td';
                return <Cell key={c.title} scope={c.head ? 'row' : undefined} className={cx('px-3 py-3 align-middle font-normal sm:px-5', c.right && 'text-right tabular-nums', c.wide && 'hidden md:table-cell')}>{c.cell(row)}</Cell>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
