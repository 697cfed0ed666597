'use client';

import { useQueries, useQuery } from '@tanstack/react-query';
import { useDeferredValue } from 'react';
import type { Me, Submission } from '@/api/client';
import { api, data } from '@/api/client';
import { authQuery, competitionsQuery, currentQuery, gpusQuery, meQuery } from '@/api/queries';
import { ago, percent, plural, score } from '@/lib/format';
import { useNow } from '@/lib/hooks';
import { LinkButton } from '@/ui/button';
import { Card, Empty, Meter, PageHeader, Skeleton, Status } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote } from '@/ui/note';
import { CompetitionCards } from './competition-cards';
import { SessionActions, StartSession } from './session-actions';

export function Dashboard() {
  const asked = useQuery(meQuery);
  const me = useDeferredValue(asked.data); // as in useRequired
  if (asked.error) return <ErrorNote error={asked.error} retry={() => void asked.refetch()} />;
  if (me === undefined) return <Skeleton />;
  return me ? <Home me={me} /> : <Welcome />;
}

function Welcome() {
  const open = useQuery(authQuery).data?.signup !== 'closed';
  const competitions = useQuery(competitionsQuery);
  return (
    <>
      <section className="max-w-2xl py-6 sm:py-10">
        <h1 className="text-3xl sm:text-4xl">VS Code in your browser, with a GPU of your own</h1>
        <p className="text-muted mt-4 text-lg">
          One host with up to seven GPUs, shared. Start a session and work in it; your files stay, with a snapshot at every stop.
          Permanent competitions score your predictions at once against hidden labels.
        </p>
        <div className="mt-6 flex flex-wrap gap-2">
          {open && <LinkButton href="/signup" look="primary">Make an account</LinkButton>}
          <LinkButton href="/signin" look={open ? 'secondary' : 'primary'}>Sign in</LinkButton>
        </div>
      </section>
      <h2 className="mt-6 mb-3">Competitions</h2>
      {competitions.isPending ? <Skeleton /> : <CompetitionCards level="h3" competitions={competitions.data ?? []} />}
      <ErrorNote error={competitions.error} />
    </>
  );
}

function Home({ me }: { me: Me }) {
  return (
    <>
      <PageHeader title="Dashboard" lead={`Signed in as ${me.name || me.email}.`} />
      <div className="grid items-start gap-6 lg:grid-cols-3">
        <div className="space-y-6 lg:col-span-2">
          <OwnSession />
          <RecentSubmissions />
        </div>
        <GPUSummary />
      </div>
    </>
  );
}

function OwnSession() {
  const current = useQuery(currentQuery);
  const now = useNow(10_000);
  const s = current.data;
  return (
    <Card title="Your session" actions={s && <Status of={s.status} />}>
      <ErrorNote error={current.error} retry={() => void current.refetch()} />
      {current.isPending && <Skeleton lines={2} />}
      {s === null && (
        <Empty title="No session is running" actions={<StartSession />}>
          A session is VS Code with a terminal and one GPU to yourself. It starts in seconds, with the files of an earlier one if you like.
        </Empty>
      )}
      {s && (
        <div className="flex flex-wrap items-center justify-between gap-4">
          <div>
            <p><Link href={`/sessions/${s.slug}`} className="link font-mono text-base font-medium">{s.slug}</Link></p>
            <p className="text-muted text-sm">GPU {s.gpu_id} · started {ago(s.created_at, now)}</p>
          </div>
          <div className="flex flex-wrap gap-2"><SessionActions session={s} /></div>
        </div>
      )}
    </Card>
  );
}

/** recentQuery is the newest few of one competition; the dashboard merges them. */
const recentQuery = (slug: string) => ({
  queryKey: ['submissions', slug, 'recent'],
  queryFn: ({ signal }: { signal: AbortSignal }) => data(api.GET('/api/v1/competitions/{slug}/submissions/me', { params: { path: { slug }, query: { limit: 5 } }, signal })),
});

function RecentSubmissions() {
  const competitions = useQuery(competitionsQuery);
  const now = useNow(10_000);
  const all = useQueries({ queries: (competitions.data ?? []).map((c) => recentQuery(c.slug)) });
  const pending = competitions.isPending || all.some((q) => q.isPending);
  const recent: Submission[] = all.flatMap((q) => q.data ?? []).sort((a, b) => b.created_at.localeCompare(a.created_at)).slice(0, 5);
  const title = (slug: string) => competitions.data?.find((c) => c.slug === slug)?.title ?? slug;
  return (
    <Card title="Recent submissions" flush>
      {pending && <Skeleton lines={8} />}
      <ErrorNote error={competitions.error ?? all.find((q) => q.error)?.error} />
      {!pending && recent.length === 0 && (
        <Empty title="No submissions yet" actions={<LinkButton href="/competitions">See the competitions</LinkButton>}>
          Send a CSV file of predictions to a competition; it is scored at once.
        </Empty>
      )}
      <ul>
        {recent.map((s) => (
          <li key={s.id} className="border-line flex flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b px-4 py-3 last:border-b-0 sm:px-5">
            <div className="min-w-0">
              <Link className="link" href={`/competitions/${s.competition_slug}/submissions`}>{title(s.competition_slug)}</Link>
              <p className="text-muted truncate text-sm">{s.filename} · {ago(s.created_at, now)}</p>
            </div>
            <div className="flex items-center gap-3">
              {s.official_score && <span className="font-mono text-sm tabular-nums">{score(s.official_score.primary_score)}</span>}
              <Status of={s.score_status} />
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function GPUSummary() {
  const gpus = useQuery(gpusQuery);
  const list = gpus.data ?? [];
  const free = list.filter((g) => g.status === 'free').length;
  return (
    <Card title="GPUs" flush actions={gpus.data && <span className="text-muted text-sm">{free} of {plural(list.length, 'GPU')} free</span>}>
      {gpus.isPending && <Skeleton />}
      <ErrorNote error={gpus.error} />
      <ul>
        {list.map((g) => (
          <li key={g.uuid} className="border-line flex items-center justify-between gap-3 border-b px-4 py-2.5 last:border-b-0 sm:px-5">
            <span className="text-sm">GPU {g.index}</span>
            <Meter label={`Memory in use on GPU ${g.index}`} value={percent(g.memory_used_bytes, g.memory_total_bytes)} />
            <Status of={g.status} />
          </li>
        ))}
      </ul>
    </Card>
  );
}
