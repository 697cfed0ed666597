import type { Metadata } from 'next';
import { SubmissionsPage } from '@/features/submissions';

export const metadata: Metadata = { title: 'Submissions' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <SubmissionsPage />;
}
