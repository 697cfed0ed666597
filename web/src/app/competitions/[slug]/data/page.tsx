import type { Metadata } from 'next';
import { DataPage } from '@/features/competition-data';

export const metadata: Metadata = { title: 'Data' };
export const dynamicParams = false;

/** One export stands for every slug: the daemon serves it for all of them. */
export const generateStaticParams = () => [{ slug: '_' }];

export default function Page() {
  return <DataPage />;
}
