import type { Metadata } from 'next';
import { AdminQueue } from '@/features/admin-rooms';

export const metadata: Metadata = { title: 'Scoring queue' };

export default function Page() {
  return <AdminQueue />;
}
