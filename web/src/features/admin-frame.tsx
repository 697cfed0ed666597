'use client';

import type { ReactNode } from 'react';
import { useRequired } from '@/lib/hooks';
import { LinkButton } from '@/ui/button';
import { Card, Empty, PageHeader, Skeleton } from '@/ui/layout';
import { Parts } from '@/ui/parts';

const parts = [
  { href: '/admin', name: 'Health' },
  { href: '/admin/users', name: 'Users' },
  { href: '/admin/sessions', name: 'Sessions' },
  { href: '/admin/gpus', name: 'GPUs' },
  { href: '/admin/packs', name: 'Packs' },
  { href: '/admin/queue', name: 'Queue' },
];

/** AdminFrame is around what only admins may see; the daemon refuses others whatever the page shows. */
export function AdminFrame({ children, actions }: { children: ReactNode; actions?: ReactNode }) {
  const me = useRequired();
  if (!me) return <Skeleton />;
  if (me.role !== 'admin') {
    return (
      <>
        <PageHeader title="Admin" />
        <Card><Empty title="Only admins of this MedForge see this" actions={<LinkButton href="/">Dashboard</LinkButton>}>An admin can make you one: <code>medforge admin user set</code>.</Empty></Card>
      </>
    );
  }
  return (
    <>
      <PageHeader title="Admin" actions={actions} />
      <Parts label="Admin" parts={parts} />
      {children}
    </>
  );
}
