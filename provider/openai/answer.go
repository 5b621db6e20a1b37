package openai

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
)

// answer is one document of what the service says: the whole of it, an event of a
// stream, or the state of a job. Imitators name pictures in several ways.
type answer struct {
	Type     string              `json:"type"` // of an event
	Data     json.RawMessage     `json:"data"`
	Images   provider.Images     `json:"images"`
	Result   json.RawMessage     `json:"result"`
	Output   provider.Images     `json:"output"`
	Base64   json.RawMessage     `json:"b64_json"`
	URL      provider.Images     `json:"url"`
	ImageURL provider.Images     `json:"image_url"`
	Error    *provider.Complaint `json:"error"`
	job
	kept
}

// kept is what stays on record of an answer.
type kept struct {
	Created      provider.Number `json:"created,omitempty"`
	Background   provider.Text   `json:"background,omitempty"`
	OutputFormat provider.Text   `json:"output_format,omitempty"`
	Size         provider.Text   `json:"size,omitempty"`
	Quality      provider.Text   `json:"quality,omitempty"`
	Usage        json.RawMessage `json:"usage,omitempty"`
}

// usage is what the bill counts.
func (k kept) usage() *provider.Usage {
	var u struct {
		Input  provider.Number `json:"input_tokens"`
		Output provider.Number `json:"output_tokens"`
	}
	if json.Unmarshal(k.Usage, &u) != nil {
		return nil
	}
	in, okIn := u.Input.Count()
	out, okOut := u.Output.Count()
	if !okIn || !okOut {
		return nil
	}
	return &provider.Usage{InputTokens: in, OutputTokens: out}
}

// read makes an Answer of what the service said. Fewer pictures than were asked for
// are accepted, and more: they are paid for.
func (a *Adapter) read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		c := r.Complaint()
		return provider.Answer{}, faults.Failure(r, c.Text(), c.Code, c.Type)
	}
	said, err := gather(r)
	if err != nil {
		return provider.Answer{}, err
	}
	drawn := len(named(said.pictures)) > 0
	if jobs := said.given; len(jobs) > 0 && (!drawn || goesOn(jobs)) {
		return a.accepted(r, said.listed, jobs), nil
	}
	if !drawn && said.Error != nil {
		return provider.Answer{}, faults.Failure(r, said.Error.Text(), said.Error.Code, said.Error.Type)
	}
	return said.done(r)
}

// gathered is what all documents of an answer say together.
type gathered struct {
	answer   // the last of them
	pictures provider.Images
	given    []job // in the place of pictures; what comes behind them does not take them back
	listed   bool  // the last of them by a list
}

func gather(r provider.Reply) (gathered, error) {
	var all gathered
	documents := r.Documents()
	if len(documents) == 0 {
		return all, r.JSON(&all.answer)
	}
	var unnamed provider.Images // say what is missing only if nothing else says where a picture is
	for _, document := range documents {
		var one answer
		if document[0] == '[' { // a list in the place of the object that holds it
			one.Data = document
		} else if err := r.Decode(document, &one); err != nil {
			return all, err
		}
		if strings.HasSuffix(one.Type, "partial_image") {
			continue // a preview on the way to the picture
		}
		if found := one.images(); len(named(found)) > 0 {
			all.pictures = append(all.pictures, found...)
		} else {
			unnamed = append(unnamed, found...)
		}
		all.take(one)
		all.merge(one)
	}
	if len(all.pictures) == 0 {
		all.pictures = unnamed
	}
	return all, nil
}

// take notes the jobs that a document names, and how those stand that are known.
// Pictures without a job end them: they are what the jobs were for.
func (all *gathered) take(one answer) {
	jobs := one.jobs()
	if len(jobs) > 0 {
		all.listed = one.job.name() == ""
	} else if len(named(one.images())) > 0 {
		all.given = nil
	}
	for _, j := range jobs {
		at := slices.IndexFunc(all.given, func(known job) bool { return known.name() == j.name() })
		switch {
		case at >= 0:
			j.PollURL = cmp.Or(j.PollURL, all.given[at].PollURL)
			all.given[at] = j
		case len(all.given) < maxJobs:
			all.given = append(all.given, j)
		}
	}
}

// merge takes over what a later document says.
func (all *gathered) merge(one answer) {
	usage, failed := all.Usage, all.Error
	all.answer = one
	if len(one.Usage) == 0 {
		all.Usage = usage
	}
	if one.Error == nil {
		all.Error = failed
	}
}

// images are the pictures that the document names, each once: what lists them all
// counts before what names the first.
func (one answer) images() provider.Images {
	var data, result, own provider.Images
	json.Unmarshal(one.Data, &data)
	json.Unmarshal(one.Result, &result)
	if len(one.Base64) > 0 {
		json.Unmarshal([]byte(`{"b64_json":`+string(one.Base64)+`}`), &own)
	}
	for _, found := range []provider.Images{data, one.Images, result, one.Output, own, one.URL, one.ImageURL} {
		if len(named(found)) > 0 {
			return found
		}
	}
	return data
}

// named are those that say where the picture is.
func named(all provider.Images) (found provider.Images) {
	for _, im := range all {
		if im.URL != "" || len(im.Content) > 0 {
			found = append(found, im)
		}
	}
	return found
}

func (all gathered) done(r provider.Reply) (provider.Answer, error) {
	outputs := r.Outputs(all.pictures)
	for i := range outputs {
		if outputs[i].ContentType == "" && len(outputs[i].Bytes) > 0 && all.OutputFormat != "" {
			outputs[i].ContentType = "image/" + string(all.OutputFormat)
		}
	}
	done, err := r.Done(outputs, all.kept)
	done.Usage = all.usage()
	return done, err
}
