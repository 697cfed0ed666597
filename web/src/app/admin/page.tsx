import type { Metadata } from 'next';
import { AdminHealth } from '@/features/admin-health';

export const metadata: Metadata = { title: 'Health' };

export default function Page() {
  return <AdminHealth />;
}
