'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react';
import type { Event } from './client';
import { affected, type Source, Stream } from './events';
import { meQuery } from './queries';
import { addStage, type Stage } from './stages';

type State = 'connecting' | 'live' | 'lost';

const LiveContext = createContext<State>('connecting');

/** useLive tells whether what is shown follows the host as it changes. */
export const useLive = () => useContext(LiveContext);

const hiddenFor = 60_000; // a page nobody looks at holds no connection for longer
const lostAfter = 3_000; // a stream that comes back before that was not missed

/** Live keeps what is shown up to date by the event stream. */
export function Live({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<State>('connecting');
  // Another account sees other events; a stream ends with its sign-in.
  const me = useQuery(meQuery);
  const user = me.data?.user_id;
  const known = !me.isPending; // or could not be asked
  const before = useRef(user);
  useEffect(() => {
    // Whoever comes after, in this tab or by another one, sees none of what was fetched.
    if (before.current && before.current !== user) client.removeQueries({ predicate: (q) => q.queryKey[0] !== 'me' });
    before.current = user;
  }, [client, user]);
  useEffect(() => {
    if (!known) return undefined;
    let opened = false;
    let late: ReturnType<typeof setTimeout> | undefined;
    const connecting = () => {
      setState((s) => (s === 'lost' ? s : 'connecting'));
      late ??= setTimeout(() => setState('lost'), lostAfter);
    };
    const inTime = () => {
      clearTimeout(late);
      late = undefined;
    };
    const stream = new Stream({
      open: () => new EventSource('/api/v1/events') as unknown as Source,
      onState: (is) => {
        if (!is) return connecting();
        inTime();
        setState('live');
        // A stream also breaks when its sign-in ends, by another tab for one.
        if (opened) void client.invalidateQueries({ queryKey: ['me'] });
        opened = true;
      },
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
      if (document.visibilityState === 'visible') {
        if (stream.start()) connecting();
        return;
      }
      timer = setTimeout(() => {
        stream.stop();
        inTime();
        setState('connecting');
      }, hiddenFor);
    };
    seen();
    document.addEventListener('visibilitychange', seen);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      clearTimeout(timer);
      inTime();
      stream.stop();
    };
  }, [client, user, known]);
  return <LiveContext value={state}>{children}</LiveContext>;
}
