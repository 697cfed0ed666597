'use client';

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { type FormEvent, type ReactNode, useEffect } from 'react';
import { api, data } from '@/api/client';
import { authQuery, meQuery } from '@/api/queries';
import { useMounted } from '@/lib/hooks';
import { after } from '@/lib/where';
import { Button } from '@/ui/button';
import { Field } from '@/ui/field';
import { Card } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote } from '@/ui/note';

/** useArrive goes on to where the visitor wanted to be, at once when signed in already. */
export function useArrive(): () => Promise<void> {
  const client = useQueryClient();
  const router = useRouter();
  const me = useQuery(meQuery).data;
  useEffect(() => {
    if (me) go(router, after(location.search));
  }, [me, router]);
  return () => client.invalidateQueries();
}

function go(router: ReturnType<typeof useRouter>, to: string) {
  if (to.startsWith('/open?')) location.assign(to);
  else router.replace(to);
}

/** Gate is the frame of signing in and signing up. */
export function Gate({ title, children, other }: { title: string; children: ReactNode; other: ReactNode }) {
  return (
    <div className="mx-auto max-w-sm pt-4 sm:pt-10">
      <h1 className="mb-6 text-center">{title}</h1>
      <Card>{children}</Card>
      <p className="text-muted mt-4 text-center text-sm">{other}</p>
    </div>
  );
}

export function SignIn() {
  const arrive = useArrive();
  const mounted = useMounted();
  const signIn = useMutation({
    mutationFn: (body: { email: string; password: string }) => data(api.POST('/api/v1/auth/login', { body })),
    onSuccess: arrive,
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    signIn.mutate({ email: String(form.get('email')), password: String(form.get('password')) });
  };
  const closed = useQuery(authQuery).data?.signup === 'closed';
  const query = mounted ? location.search : '';
  return (
    <Gate title="Sign in to MedForge" other={closed ? 'An admin of this host makes accounts.' : <>New here? <Link className="link" href={`/signup${query}`}>Make an account</Link></>}>
      <form onSubmit={submit} className="space-y-4">
        <ErrorNote error={signIn.error} />
        <Field label="Email" name="email" type="email" autoComplete="username" maxLength={254} required />
        <Field label="Password" name="password" type="password" autoComplete="current-password" maxLength={128} required />
        <Button type="submit" look="primary" className="w-full" busy={signIn.isPending}>Sign in</Button>
      </form>
    </Gate>
  );
}
