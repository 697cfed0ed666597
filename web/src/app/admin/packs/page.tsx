import type { Metadata } from 'next';
import { AdminPacks } from '@/features/admin-rooms';

export const metadata: Metadata = { title: 'Packs' };

export default function Page() {
  return <AdminPacks />;
}
