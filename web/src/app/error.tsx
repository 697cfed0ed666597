'use client';

import { Button, LinkButton } from '@/ui/button';
import { Card, Empty } from '@/ui/layout';

export default function Failed({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <Card>
      <h1 className="sr-only">This page failed</h1>
      <Empty title="This page failed" actions={<><Button look="primary" onClick={reset}>Try again</Button><LinkButton href="/">Dashboard</LinkButton></>}>
        <p>The mistake is the page&apos;s, not yours; nothing was lost on the host. The command line does all that this page does.</p>
        <p className="mt-2"><code>{error.message}</code></p>
      </Empty>
    </Card>
  );
}
