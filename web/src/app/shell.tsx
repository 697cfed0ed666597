'use client';

import { useMutation, useQuery } from '@tanstack/react-query';
import { usePathname } from 'next/navigation';
import { type ReactNode, useEffect, useRef } from 'react';
import { api, data } from '@/api/client';
import { useLive } from '@/api/live';
import { authQuery } from '@/api/queries';
import { useInSight, useMounted } from '@/lib/hooks';
import { Button, buttonClass, LinkButton } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Link } from '@/ui/link';

const rooms = [
  { href: '/', name: 'Dashboard' },
  { href: '/sessions', name: 'Sessions', signedIn: true },
  { href: '/competitions', name: 'Competitions' },
  { href: '/datasets', name: 'Datasets' },
  { href: '/gpus', name: 'GPUs', signedIn: true },
  { href: '/admin', name: 'Admin', admin: true },
];

/** Shell stands around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const content = useRef<HTMLElement>(null);
  const before = useRef(path);
  useEffect(() => {
    // A reader of the page hears where a link has led.
    if (before.current !== path) content.current?.focus({ preventScroll: true });
    before.current = path;
  }, [path]);
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#content" className="bg-accent text-on-accent sr-only z-50 rounded-lg px-4 py-2 focus:not-sr-only focus:fixed focus:top-2 focus:left-2">Skip to the content</a>
      {/* Where it is narrow the footer is below the window from the start: what comes in would push it out of sight. */}
      <div className="flex grow flex-col max-lg:min-h-dvh">
        <Header path={path} />
        <Lost />
        <main id="content" ref={content} tabIndex={-1} className="mx-auto w-full max-w-6xl flex-1 px-4 py-8 outline-none sm:px-6">{children}</main>
      </div>
      <Footer />
    </div>
  );
}

function Header({ path }: { path: string }) {
  const auth = useQuery(authQuery).data;
  const me = auth?.user;
  const mounted = useMounted();
  const shown = rooms.filter((r) => (r.admin ? me?.role === 'admin' : !r.signedIn || me));
  const here = (href: string) => mounted && (href === '/' ? path === '/' : path === href || path.startsWith(`${href}/`));
  const nav = useInSight(`${path} ${mounted} ${shown.length}`);
  return (
    <header className="bg-surface border-line border-b">
      <div className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-6 px-4 sm:px-6">
        <Link href="/" className="flex min-h-14 items-center gap-2.5 font-semibold tracking-tight">
          <Mark />
          MedForge
        </Link>
        <nav ref={nav} aria-label="Main" className="order-last -mx-4 flex w-[calc(100%+2rem)] gap-1 overflow-x-auto px-4 pb-2 lg:order-none lg:mx-0 lg:w-auto lg:flex-1 lg:p-0">
          {shown.map((r) => (
            <Link key={r.href} href={r.href} aria-current={here(r.href) ? 'page' : undefined}
              className={cx('rounded-lg px-3 py-1.5 text-sm font-medium -outline-offset-2', here(r.href) ? 'bg-accent-soft text-accent' : 'text-muted hover:bg-sunken hover:text-ink')}>
              {r.href === '/' && auth?.user === null ? 'Home' : r.name}
            </Link>
          ))}
        </nav>
        <div className="ml-auto flex min-h-14 items-center gap-2">
          {me && <Account name={me.name || me.email} />}
          {auth?.user === null && !['/signin', '/signup'].includes(path) && (
            <>
              <LinkButton href={`/signin?${new URLSearchParams({ next: path })}`} look="quiet">Sign in</LinkButton>
              {auth.signup !== 'closed' && <LinkButton href="/signup" look="primary">Sign up</LinkButton>}
            </>
          )}
        </div>
      </div>
    </header>
  );
}

function Account({ name }: { name: string }) {
  const signOut = useMutation({
    mutationFn: () => data(api.POST('/api/v1/auth/logout')),
    onSuccess: () => location.assign('/signin'), // loaded anew: the next one sees none of what was fetched
  });
  return (
    <>
      <Link href="/account" className={buttonClass('quiet', 'max-w-40')}><span className="sr-only">Account of </span><span className="truncate">{name}</span></Link>
      <Button busy={signOut.isPending} onClick={() => signOut.mutate()}>Sign out</Button>
    </>
  );
}

function Mark() {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" className="text-accent size-6">
      <path d="M4 20V5l8 8 8-8v15" fill="none" stroke="currentColor" strokeWidth="2.6" strokeLinejoin="round" strokeLinecap="round" />
    </svg>
  );
}

/** Lost says so while the daemon cannot be reached: what is shown stands still then. */
function Lost() {
  const lost = useLive() === 'lost';
  return (
    <div role="status" className="fixed inset-x-0 bottom-0 z-40">
      {lost && (
        <p className="bg-warn-soft border-warn/40 text-warn border-t px-4 py-2 text-center text-sm">
          <strong className="font-medium">No connection to MedForge.</strong> What is shown may be old. This page connects again by itself.
        </p>
      )}
    </div>
  );
}

function Footer() {
  const live = useLive() === 'live';
  const mounted = useMounted();
  return (
    <footer className="border-line text-muted border-t text-sm">
      <div className="mx-auto flex max-w-6xl flex-wrap items-center justify-between gap-x-6 gap-y-1 px-4 py-4 sm:px-6">
        <p>Everything here is also in the command line: <code>medforge --help</code></p>
        <p role="status" className="flex items-center gap-2">
          <span aria-hidden="true" className={cx('size-2 rounded-full', live ? 'bg-ok' : 'bg-strong-line')} />
          {mounted && live ? 'Live' : 'Connecting'}
        </p>
      </div>
    </footer>
  );
}
