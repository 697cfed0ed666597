'use client';
import { usePathname, useParams } from 'next/navigation';
import Link from 'next/link';
import { useEffect, useState } from 'react';
export function View() {
  const path = usePathname();
  const params = useParams();
  const [m, setM] = useState(false);
  useEffect(() => setM(true), []);
  return <main><h1>One</h1><p id="p">{m ? `${path} ${JSON.stringify(params)}` : ''}</p><Link href="/competitions/rsna">rsna</Link> <Link href="/competitions">list</Link></main>;
}
