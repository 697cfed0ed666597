'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import type { Event } from './client';
import { affected, type Source, Stream } from './events';
import { meQuery } from './queries';
import { addStage, type Stage } from './stages';

const LiveContext = createContext(false);

/** useLive reports whether what is shown follows the host as it changes. */
export const useLive = () => useContext(LiveContext);

const hiddenFor = 60_000; // a page nobody looks at holds no connection for longer

/** Live keeps what is shown up to date by the event stream. */
export function Live({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [live, setLive] = useState(false);
  // Another account sees other events; a stream ends with its sign-in.
  const user = useQuery(meQuery).data?.user_id;
  useEffect(() => {
    const stream = new Stream({
      open: () => new EventSource('/api/v1/events') as unknown as Source,
      onState: setLive,
      onGap: () => void client.invalidateQueries(),
      onEvent: (e: Event) => {
        if (e.event === 'gpu.sample' && Array.isArray(e.data?.gpus)) {
          client.setQueryData(['gpus'], e.data.gpus);
        } else if (e.slug && (e.event === 'session.start' || e.event === 'session.stage')) {
          client.setQueryData<Stage[]>(['stages', e.slug], (old) => addStage(old, e));
        }
        for (const queryKey of affected(e)) void client.invalidateQueries({ queryKey });
      },
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const seen = () => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') stream.start();
      else timer = setTimeout(() => { stream.stop(); setLive(false); }, hiddenFor);
    };
    seen();
    document.addEventListener('visibilitychange', seen);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      clearTimeout(timer);
      stream.stop();
    };
  }, [client, user]);
  return <LiveContext value={live}>{children}</LiveContext>;
}
