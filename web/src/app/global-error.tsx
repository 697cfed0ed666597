'use client';

import './globals.css';

/** What stands when even the frame around the pages failed. */
export default function GlobalFailed({ reset }: { error: Error; reset: () => void }) {
  return (
    <html lang="en">
      <body>
        <title>MedForge</title>
        <main className="mx-auto max-w-xl px-4 py-16">
          <h1>MedForge&apos;s page failed</h1>
          <p className="mt-4">Nothing was lost on the host. Load the page again; the command line does all that it does.</p>
          <button type="button" className="link mt-4" onClick={reset}>Try again</button>
        </main>
      </body>
    </html>
  );
}
