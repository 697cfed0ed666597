import type { Metadata } from 'next';
import { SessionPage } from '@/features/session';

export const metadata: Metadata = { title: 'Session' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <SessionPage />;
}
