import type { Metadata } from 'next';
import { LeaderboardPage } from '@/features/leaderboard';

export const metadata: Metadata = { title: 'Leaderboard' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <LeaderboardPage />;
}
