'use client';

import ReactMarkdown from 'react-markdown';
import gfm from 'remark-gfm';

/**
 * Markdown that somebody else wrote. react-markdown makes elements of it and
 * drops raw HTML and script addresses; images are left out, since the page
 * loads nothing from other hosts.
 */
export default function Markdown({ text }: { text: string }) {
  return (
    <div className="prose">
      <ReactMarkdown remarkPlugins={[gfm]} skipHtml disallowedElements={['img']} components={{
        h1: ({ children }) => <h2>{children}</h2>,
        h2: ({ children }) => <h3>{children}</h3>,
        h3: ({ children }) => <h4>{children}</h4>,
        a: ({ children, href }) => <a href={href} rel="noreferrer noopener" target={href?.startsWith('http') ? '_blank' : undefined}>{children}</a>,
        pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
      }}>
        {text}
      </ReactMarkdown>
    </div>
  );
}
