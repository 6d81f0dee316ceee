package command

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysTypedBeforeAQuestionAreForgotten(t *testing.T) {
	in, person := io.Pipe()
	k := openKeys(t.Context(), in, "")
	defer k.Close()
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		_, _ = io.WriteString(person, "early\nearly too\n")
	}()
	<-typed
	k.Drop()
	go func() { _, _ = io.WriteString(person, "answer\n") }()
	line, err := k.Line(t.Context())
	require.NoError(t, err)
	require.Equal(t, "answer", line)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = k.Line(ended)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, person.Close())
}
