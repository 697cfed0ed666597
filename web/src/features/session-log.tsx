'use client';

import { useEffect, useRef, useState } from 'react';
import { type Session, toProblem, unreachable } from '@/api/client';
import { plain } from '@/lib/terminal';
import { Button } from '@/ui/button';
import { Card } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';

const kept = 200_000; // characters of the end that are shown

/** SessionLog shows what the session prints, as it prints it. */
export function SessionLog({ session: s }: { session: Session }) {
  const [open, setOpen] = useState(false);
  return (
    <Card title="Log" actions={<Button onClick={() => setOpen(!open)} aria-expanded={open}>{open ? 'Hide' : 'Show'}</Button>} flush>
      {open ? <Output key={s.status} slug={s.slug} follow={s.status === 'starting' || s.status === 'running'} /> : <p className="text-muted p-4 text-sm sm:px-5">What VS Code&apos;s server in the session prints: for when it does not start or does not answer.</p>}
    </Card>
  );
}

function Output({ slug, follow }: { slug: string; follow: boolean }) {
  const { text, error, done } = useLog(slug, follow);
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  return (
    <>
      {error !== null && <div className="p-4"><ErrorNote error={error} /></div>}
      <pre ref={box} tabIndex={0} role="region" aria-label={`Log of session ${slug}`} onScroll={(e) => {
        const el = e.currentTarget;
        atEnd.current = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
      }} className="bg-sunken max-h-96 min-h-24 overflow-auto rounded-b-xl p-4 text-xs leading-5 whitespace-pre-wrap">
        {text || (done ? 'It has printed nothing.' : 'Waiting for its output')}
      </pre>
    </>
  );
}

/** useLog reads the log, and what comes after it for as long as the session lives. */
function useLog(slug: string, follow: boolean) {
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [done, setDone] = useState(false);
  useEffect(() => {
    const ending = new AbortController();
    const read = async () => {
      const query = new URLSearchParams({ tail: '1000', ...(follow ? { follow: 'true' } : {}) });
      const res = await fetch(`/api/v1/sessions/${encodeURIComponent(slug)}/logs?${query}`, { signal: ending.signal });
      if (!res.ok || !res.body) throw toProblem(await res.json().catch(() => null), res.status);
      const lines = res.body.pipeThrough(new TextDecoderStream()).getReader();
      let all = '';
      for (let part = await lines.read(); !part.done; part = await lines.read()) {
        all = (all + part.value).slice(-kept);
        setText(plain(all));
      }
      setDone(true);
    };
    read().catch((err: unknown) => {
      if (!ending.signal.aborted) setError(err instanceof TypeError ? unreachable() : err);
    });
    return () => ending.abort();
  }, [slug, follow]);
  return { text, error, done };
}
