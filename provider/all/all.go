// Package all lists the services that easel knows: a line each, and nothing else that
// names one.
package all

import (
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/bfl"
	"github.com/easelqueue/easel/provider/comfyui"
	"github.com/easelqueue/easel/provider/dashscope"
	"github.com/easelqueue/easel/provider/fal"
	"github.com/easelqueue/easel/provider/gemini"
	"github.com/easelqueue/easel/provider/jimeng"
	"github.com/easelqueue/easel/provider/midjourney"
	"github.com/easelqueue/easel/provider/openai"
	"github.com/easelqueue/easel/provider/replicate"
	"github.com/easelqueue/easel/provider/sketch"
	"github.com/easelqueue/easel/provider/stability"
	"github.com/easelqueue/easel/provider/stablediffusion"
	"github.com/easelqueue/easel/provider/volcengine"
)

// Kinds are all of them.
var Kinds = provider.Kinds{
	bfl.Kind,
	comfyui.Kind,
	dashscope.Kind,
	fal.Kind,
	gemini.Kind,
	jimeng.Kind,
	midjourney.Kind,
	openai.Kind,
	replicate.Kind,
	sketch.Kind,
	stability.Kind,
	stablediffusion.Kind,
	volcengine.Kind,
}

// Free is the name of the service that is always there and costs nothing: commands use
// it unless they are told another.
const Free = sketch.Name
