package beneath

import (
	"bytes"
	"encoding/binary"
	"io"

	"golang.org/x/sys/unix"
)

// direntsSize is the buffer for one getdents64 call.
const direntsSize = 32 << 10

// stream reads a directory's entries a buffer at a time and knows the position
// after each, so that reading can go on after the descriptor was closed.
type stream struct {
	buf  []byte // entries not yet returned
	mem  []byte
	next int64 // d_off of the entry returned last
}

// Entry is a name in a directory and what the directory says it is.
type Entry struct {
	Name string
	Type uint8 // unix.DT_*; DT_UNKNOWN where the file system does not say
}

// read returns the next entry of fd, without "." and "..", or io.EOF.
func (s *stream) read(fd int) (Entry, error) {
	for {
		if len(s.buf) == 0 {
			if s.mem == nil {
				s.mem = make([]byte, direntsSize)
			}
			n, err := retry(func() (int, error) { return unix.Getdents(fd, s.mem) })
			if err == unix.ENOENT || n == 0 && err == nil { // ENOENT: removed meanwhile
				return Entry{}, io.EOF
			}
			if err != nil {
				return Entry{}, err
			}
			s.buf = s.mem[:n]
		}
		// struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name\0
		length := binary.NativeEndian.Uint16(s.buf[16:])
		rec := s.buf[:length]
		s.buf = s.buf[length:]
		s.next = int64(binary.NativeEndian.Uint64(rec[8:]))
		name := rec[19:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if string(name) != "." && string(name) != ".." {
			return Entry{Name: string(name), Type: rec[18]}, nil
		}
	}
}

// drop forgets what was read ahead and gives back the memory for it.
func (s *stream) drop() []byte {
	mem := s.mem
	s.buf, s.mem = nil, nil
	return mem
}

// seek goes to the position after the entry returned last.
func (s *stream) seek(fd int) error {
	_, err := unix.Seek(fd, s.next, unix.SEEK_SET)
	return err
}

func (s *stream) rewind(fd int) error {
	s.buf, s.next = nil, 0
	return s.seek(fd)
}
