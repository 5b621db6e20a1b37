package httpserver

import (
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
)

func TestMain(m *testing.M) { servertest.NothingStays(m) }
