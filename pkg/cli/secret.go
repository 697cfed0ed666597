package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxTyped is the longest line that is read as an answer.
const maxTyped = 4 << 10

// ask reads a line that may be seen. Without a terminal nobody is asked: it is
// the next line of stdin.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	if isTerminal(a.Stdin) {
		fmt.Fprint(a.Stderr, prompt)
	}
	return await(ctx, a.line)
}

// askSecret reads a line from the terminal without showing it, or the next line
// of stdin when that is no terminal.
func (a *app) askSecret(ctx context.Context, prompt string) (string, error) {
	if !isTerminal(a.Stdin) {
		return await(ctx, a.line)
	}
	fd := int(a.Stdin.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	// An interrupt must not leave a terminal that shows nothing.
	defer func() { _ = term.Restore(fd, before) }()
	fmt.Fprint(a.Stderr, prompt)
	defer fmt.Fprintln(a.Stderr)
	return await(ctx, func() (string, error) {
		raw, err := term.ReadPassword(fd)
		return string(raw), err
	})
}

// await gives up with ctx. The read then goes on until the process ends.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// line reads the next line of stdin, without its end.
func (a *app) line() (string, error) {
	if a.in == nil {
		a.in = bufio.NewReader(a.Stdin)
	}
	var b strings.Builder
	for b.Len() <= maxTyped {
		c, err := a.in.ReadByte()
		switch {
		case err == io.EOF && b.Len() > 0, err == nil && c == '\n':
			return strings.TrimSuffix(b.String(), "\r"), nil
		case err == io.EOF:
			return "", usage("Stdin ended before the answer.")
		case err != nil:
			return "", err
		}
		b.WriteByte(c)
	}
	return "", usage("The line on stdin is too long.")
}
