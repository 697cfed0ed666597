import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, type Auth, call, data, type Health, type ListMeta, Problem, type Session } from './client';

/** The keys begin with what events make stale; see affected in events.ts. */
const next = (page: { meta: ListMeta }) => page.meta.next_cursor ?? undefined;
const first: string | undefined = undefined;

/** authQuery is who is signed in, if anybody, and who may sign up. */
export const authQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }): Promise<Auth> => data(api.GET('/api/v1/auth', { signal })),
  staleTime: 60_000,
  refetchOnWindowFocus: 'always', // another tab may have signed in or out
});

/** meQuery is who is signed in, or null. */
export const meQuery = queryOptions({ ...authQuery, select: (a) => a.user });

export const currentQuery = queryOptions({
  queryKey: ['sessions', 'current'],
  queryFn: async ({ signal }): Promise<Session | null> => (await data(api.GET('/api/v1/sessions/current', { signal }))).session,
});

export const sessionsQuery = (all: boolean) => infiniteQueryOptions({
  queryKey: ['sessions', 'list', all],
  queryFn: ({ pageParam, signal }) => call(api.GET('/api/v1/sessions', { params: { query: { limit: 50, all: all || undefined, cursor: pageParam } }, signal })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const sessionQuery = (ref: string) => queryOptions({
  queryKey: ['sessions', 'one', ref],
  queryFn: ({ signal }) => data(api.GET('/api/v1/sessions/{ref}', { params: { path: { ref } }, signal })),
});

export const snapshotsQuery = (ref: string) => queryOptions({
  queryKey: ['sessions', 'snapshots', ref],
  queryFn: ({ signal }) => data(api.GET('/api/v1/sessions/{ref}/snapshots', { params: { path: { ref }, query: { limit: 500 } }, signal })),
});

export const usageQuery = (ref: string) => queryOptions({
  queryKey: ['sessions', 'usage', ref],
  queryFn: ({ signal }) => data(api.GET('/api/v1/sessions/{ref}/usage', { params: { path: { ref } }, signal })),
  staleTime: 15_000,
});

export const gpusQuery = queryOptions({
  queryKey: ['gpus'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/gpus', { params: { query: { limit: 500 } }, signal })),
  staleTime: 5_000,
});

export const competitionsQuery = queryOptions({
  queryKey: ['competitions', 'list'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/competitions', { params: { query: { limit: 500 } }, signal })),
  staleTime: 300_000,
});

export const competitionQuery = (slug: string) => queryOptions({
  queryKey: ['competitions', 'one', slug],
  queryFn: ({ signal }) => data(api.GET('/api/v1/competitions/{slug}', { params: { path: { slug } }, signal })),
  staleTime: 300_000,
});

export const dataFilesQuery = (slug: string) => queryOptions({
  queryKey: ['competitions', 'data', slug],
  queryFn: ({ signal }) => data(api.GET('/api/v1/competitions/{slug}/data', { params: { path: { slug }, query: { limit: 500 } }, signal })),
  staleTime: 300_000,
});

export const boardQuery = (slug: string) => infiniteQueryOptions({
  queryKey: ['board', slug],
  queryFn: ({ pageParam, signal }) => call(api.GET('/api/v1/competitions/{slug}/leaderboard', { params: { path: { slug }, query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: first,
  getNextPageParam: next,
  placeholderData: keepPreviousData,
});

export const mineQuery = (slug: string, limit = 100) => infiniteQueryOptions({
  queryKey: ['submissions', slug, limit],
  queryFn: ({ pageParam, signal }) => call(api.GET('/api/v1/competitions/{slug}/submissions/me', { params: { path: { slug }, query: { limit, cursor: pageParam } }, signal })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const datasetsQuery = queryOptions({
  queryKey: ['datasets', 'list'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/datasets', { params: { query: { limit: 500 } }, signal })),
  staleTime: 60_000,
});

export const datasetQuery = (slug: string) => queryOptions({
  queryKey: ['datasets', 'one', slug],
  queryFn: ({ signal }) => data(api.GET('/api/v1/datasets/{slug}', { params: { path: { slug } }, signal })),
  staleTime: 60_000,
});

export const tokensQuery = queryOptions({
  queryKey: ['account', 'tokens'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/me/tokens', { params: { query: { limit: 500 } }, signal })),
});

export const browsersQuery = queryOptions({
  queryKey: ['account', 'browsers'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/me/sessions', { params: { query: { limit: 500 } }, signal })),
});

export const usersQuery = infiniteQueryOptions({
  queryKey: ['users'],
  queryFn: ({ pageParam, signal }) => call(api.GET('/api/v1/admin/users', { params: { query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const packsQuery = queryOptions({
  queryKey: ['packs'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/admin/packs', { params: { query: { limit: 500 } }, signal })),
});

export const doctorQuery = queryOptions({
  queryKey: ['doctor'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/admin/doctor', { signal })),
  staleTime: 30_000,
});

export const hostQuery = queryOptions({
  queryKey: ['host'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/host', { signal })),
  refetchInterval: 10_000,
});

export const queueQuery = queryOptions({
  queryKey: ['queue'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/admin/queue', { signal })),
  refetchInterval: 5_000,
});

/** historyQuery is how a person's place on a board came about. */
export const historyQuery = (slug: string, user: string) => queryOptions({
  queryKey: ['progress', slug, user],
  queryFn: ({ signal }) => data(api.GET('/api/v1/competitions/{slug}/leaderboard/{user}/history', { params: { path: { slug, user }, query: { limit: 500 } }, signal })),
  staleTime: 60_000,
});

/** healthQuery: a host that is not well answers 503 with the same object. */
export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: async ({ signal }) => {
    const r = await api.GET('/healthz', { signal }).catch(() => { throw new Problem({ detail: 'MedForge cannot be reached.' }, 0); });
    const body = (r.data ?? r.error) as { status?: string } | undefined;
    if (body?.status === undefined) throw new Problem({ detail: 'The health of the host could not be read.' }, r.response.status);
    return body as Health;
  },
  refetchInterval: 15_000,
});
