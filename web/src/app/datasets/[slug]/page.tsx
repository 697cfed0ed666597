import type { Metadata } from 'next';
import { DatasetPage } from '@/features/datasets';

export const metadata: Metadata = { title: 'Dataset' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <DatasetPage />;
}
