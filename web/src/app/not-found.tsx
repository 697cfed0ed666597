import type { Metadata } from 'next';
import { LinkButton } from '@/ui/button';
import { Card, Empty } from '@/ui/layout';

export const metadata: Metadata = { title: 'Not found' };

export default function NotFound() {
  return (
    <>
      <h1 className="sr-only">Not found</h1>
      <Card>
        <Empty title="There is nothing at this address" actions={<><LinkButton href="/" look="primary">Dashboard</LinkButton><LinkButton href="/competitions">Competitions</LinkButton></>}>
          It may have been mistyped, or what stood here is gone. A session that was stopped keeps its files: its page is below Sessions.
        </Empty>
      </Card>
    </>
  );
}
