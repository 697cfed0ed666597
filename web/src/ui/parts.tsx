'use client';

import { usePathname } from 'next/navigation';
import { useInSight, useMounted } from '@/lib/hooks';
import { cx } from './cx';
import { Link } from './link';

/** Parts are the links between the parts of one thing, each a page with an address of its own. */
export function Parts({ label, parts }: { label: string; parts: { href: string; name: string }[] }) {
  const path = usePathname();
  const mounted = useMounted();
  const row = useInSight(`${path} ${mounted}`);
  return (
    <nav ref={row} aria-label={label} className="border-line -mt-2 mb-6 flex gap-1 overflow-x-auto overflow-y-hidden border-b">
      {parts.map((p) => {
        const here = mounted && path === p.href;
        return (
          <Link key={p.href} href={p.href} aria-current={here ? 'page' : undefined}
            className={cx('-mb-px border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap -outline-offset-2', here ? 'border-accent text-accent' : 'text-muted hover:text-ink border-transparent')}>
            {p.name}
          </Link>
        );
      })}
    </nav>
  );
}
