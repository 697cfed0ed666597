package scoring

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestBufferEdges puts the places where a record is easily torn on every
// offset around the end of the read buffer, and compares with encoding/csv.
func TestBufferEdges(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{
		"\"a\"\"b,\n\nc\",1\r\nlast,2\n", "plain,1\r\nlast,2", "\"\",\"\"\"\"\r\n\r\n\"x\",y\n", "a,\"b\"", "a,b\r",
	} {
		for off := range 40 {
			head := strings.Repeat("row,12345678\n", readChunk/13-3)
			head += strings.Repeat("x", readChunk-len(head)-off-3) + ",9\n"
			checkCSV(t, head+tail)
		}
	}
}

// TestLongRecords goes through the buffer's growth.
func TestLongRecords(t *testing.T) {
	t.Parallel()
	for _, n := range []int{readChunk - 1, readChunk, readChunk + 1, 3 * readChunk, 900_000} {
		long := strings.Repeat("1 ", n/2)
		checkCSV(t, "id,mask\na,"+long+"\nb,1\n")
		checkCSV(t, "id,mask\na,\""+long+"\n"+long[:n/16]+"\"\nb,1\n")
		checkCSV(t, "id,mask\r\na,\""+strings.ReplaceAll(long, "1 ", "\"\"")+"\"\r\nb,1")
	}
}

func checkCSV(t *testing.T, file string) {
	t.Helper()
	rows, _, ok := readAll(t, strings.NewReader(file))
	ref := csv.NewReader(bytes.NewReader([]byte(file)))
	ref.FieldsPerRecord = -1
	want, err := ref.ReadAll()
	if err != nil || !ok || !slices.EqualFunc(rows, want, slices.Equal) {
		t.Fatalf("%d bytes: ours %s, theirs %s, ok %v, err %v", len(file), brief(rows), brief(want), ok, err)
	}
}

func brief(rows [][]string) string {
	return fmt.Sprintf("%d rows ending in %.300q", len(rows), rows[max(0, len(rows)-3):])
}
