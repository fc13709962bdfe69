/**
 * @file rescomp/rescomp.h
 * All public headers.
 */
#ifndef RESCOMP_RESCOMP_H
#define RESCOMP_RESCOMP_H

#include <rescomp/base.h>
#include <rescomp/dataset.h>
#include <rescomp/device.h>
#include <rescomp/distill.h>
#include <rescomp/evaluate.h>
#include <rescomp/graph.h>
#include <rescomp/measure.h>
#include <rescomp/method.h>
#include <rescomp/packed.h>
#include <rescomp/prune.h>
#include <rescomp/quantize.h>
#include <rescomp/recipe.h>
#include <rescomp/report.h>
#include <rescomp/session.h>
#include <rescomp/sparsify.h>
#include <rescomp/survey.h>
#include <rescomp/train.h>

#endif
