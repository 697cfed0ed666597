'use client';

import { useMutation, useQuery } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { api, data, type Problem } from '@/api/client';
import { authQuery } from '@/api/queries';
import { useMounted } from '@/lib/hooks';
import { Button } from '@/ui/button';
import { Field } from '@/ui/field';
import { Link } from '@/ui/link';
import { ErrorNote } from '@/ui/note';
import { Gate, useArrive } from '../signin/form';

interface Values {
  email: string;
  password: string;
  name?: string;
  invitation?: string;
}

export function SignUp() {
  const arrive = useArrive();
  const mounted = useMounted();
  const signUp = useMutation<unknown, Problem, Values>({
    mutationFn: (body) => data(api.POST('/api/v1/auth/signup', { body })),
    onSuccess: arrive,
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    signUp.mutate({
      email: text('email'), password: String(form.get('password')),
      name: text('name') || undefined, invitation: text('invitation') || undefined,
    });
  };
  const mode = useQuery(authQuery).data?.signup;
  const query = mounted ? location.search : '';
  if (mode === 'closed') {
    return <Gate title="Make an account" other={<Link className="link" href={`/signin${query}`}>Sign in</Link>}>An admin of this host makes accounts; ask for one.</Gate>;
  }
  return (
    <Gate title="Make an account" other={<>You have one? <Link className="link" href={`/signin${query}`}>Sign in</Link></>}>
      <form onSubmit={submit} className="space-y-4">
        <ErrorNote error={signUp.error} />
        <Field label="Name" name="name" autoComplete="nickname" maxLength={64} help="Shown to others on leaderboards. Left empty, one is made for you." />
        <Field label="Email" name="email" type="email" autoComplete="username" maxLength={254} required help="Never shown to others." />
        <Field label="Password" name="password" type="password" autoComplete="new-password" minLength={8} maxLength={128} required help="8 to 128 characters." />
        {mode === 'invite' && <Field label="Invitation code" name="invitation" autoComplete="off" maxLength={200} required help="From whoever runs this host." />}
        <Button type="submit" look="primary" className="w-full" busy={signUp.isPending}>Sign up</Button>
      </form>
    </Gate>
  );
}
