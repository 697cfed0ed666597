'use client';

import { CSPProvider } from '@base-ui/react/csp-provider';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Problem } from '@/api/client';
import { Live } from '@/api/live';

/** retry: what MedForge refused stays refused; what did not arrive may yet. */
const retry = (count: number, err: Error) => count < 2 && !(err instanceof Problem && err.status >= 400 && err.status < 500);

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(() => new QueryClient({
    defaultOptions: { queries: { retry, staleTime: 10_000, refetchOnWindowFocus: false }, mutations: { retry: false } },
  }));
  return (
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={client}>
        <Live>{children}</Live>
      </QueryClientProvider>
    </CSPProvider>
  );
}
