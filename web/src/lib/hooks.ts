'use client';

import { useQuery } from '@tanstack/react-query';
import { usePathname, useRouter } from 'next/navigation';
import { useDeferredValue, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Me } from '@/api/client';
import { meQuery } from '@/api/queries';
import { segment } from './where';

const never = () => () => {};

/** useMounted is false in the exported page and in the first render of it. */
export const useMounted = () => useSyncExternalStore(never, () => true, () => false);

/**
 * useSegment is the n-th part of the address. A page with a slug is exported
 * once for all slugs, so the part is empty until the page runs.
 */
export function useSegment(n: number): string {
  const path = usePathname();
  return useMounted() ? segment(path, n) : '';
}

/** useNow is the present time in ms, again each so many ms. */
export function useNow(every: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const t = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(t);
  }, [every]);
  return now;
}

/** useInSight keeps the link that one is at in the middle of a row of links, which scrolls on a phone; at is what the row depends on. */
export function useInSight(at: string) {
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const look = () => {
      const link = row.current?.querySelector<HTMLElement>('[aria-current]');
      if (link && row.current) row.current.scrollTo({ left: link.offsetLeft - row.current.offsetLeft - (row.current.clientWidth - link.offsetWidth) / 2 });
    };
    look();
    window.addEventListener('resize', look);
    return () => window.removeEventListener('resize', look);
  }, [at]);
  return row;
}

/** useTitle names the browser's tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    if (title) document.title = `${title} · MedForge`;
  }, [title]);
}

/**
 * useRequired is who is signed in; nobody is sent to sign in, and comes back here.
 * The page that then appears is drawn in small steps (useDeferredValue), so that a
 * slow phone answers meanwhile: what a query brings is else drawn in one.
 */
export function useRequired(): Me | undefined {
  const { data } = useQuery(meQuery);
  const router = useRouter();
  const path = usePathname();
  useEffect(() => {
    if (data === null) router.replace(`/signin?${new URLSearchParams({ next: path })}`);
  }, [data, path, router]);
  return useDeferredValue(data) ?? undefined;
}
