import type { Metadata } from 'next';
import { CompetitionPage } from '@/features/competition';

export const metadata: Metadata = { title: 'Competition' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <CompetitionPage />;
}
