import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import './globals.css';
import { Providers } from './providers';
import { Shell } from './shell';

export const metadata: Metadata = {
  title: { default: 'MedForge', template: '%s · MedForge' },
  description: 'VS Code in the browser with a GPU of your own, and permanent competitions, on one host.',
  robots: { index: false },
};

export const viewport: Viewport = {
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#ffffff' },
    { media: '(prefers-color-scheme: dark)', color: '#181f27' },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <head>
        {/* Every page asks this first: on a slow line its answer is there when the scripts are. */}
        <link rel="preload" href="/api/v1/auth" as="fetch" crossOrigin="anonymous" />
      </head>
      <body>
        <Providers>
          <Shell>{children}</Shell>
        </Providers>
      </body>
    </html>
  );
}
