'use client';

import NextLink from 'next/link';
import { type ComponentProps, useState } from 'react';

/**
 * Link is next/link that fetches the code behind it when somebody points at it
 * or reaches it by keyboard, not already when it comes into sight: a page would
 * load and run the code of every page that it names.
 */
export function Link(props: Omit<ComponentProps<typeof NextLink>, 'prefetch' | 'onPointerEnter' | 'onFocus'>) {
  const [wanted, setWanted] = useState(false);
  const want = () => setWanted(true);
  return <NextLink {...props} prefetch={wanted ? null : false} onPointerEnter={want} onFocus={want} />;
}
