package worker

import (
	"context"

	"github.com/easelqueue/easel/provider"
)

// prepare makes the call for a part of the task, with input pictures in the form
// that the service wants.
func (s *step) prepare(ctx context.Context, part provider.Part) (provider.Call, error) {
	inputs, err := s.t.Inputs()
	if err != nil {
		return provider.Call{}, err
	}
	part.Inputs = inputs
	return s.svc.Call(s.account.Provider, s.t, part)
}
