import type { Metadata } from 'next';
import { AdminSessions } from '@/features/admin-rooms';

export const metadata: Metadata = { title: 'All sessions' };

export default function Page() {
  return <AdminSessions />;
}
